/**
 * Limits how many objects (streams, sessions, projects …) are in use at the same time. Each one holds files and memory until
 * it has been unused for ten seconds, and workerd crashes when it may not open any more files.
 */

/** How long an object stays in memory after its last use, plus a margin. */
const STAY_MS = 12_000;

/** Counts the objects in use. */
export class OpenObjects {
  readonly #max: number;
  readonly #now: () => number;
  /** When each object was last used; the least recently used one comes first. */
  readonly #usedAtMs = new Map<string, number>();

  /** @param now a clock, in milliseconds. */
  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** Whether an object may be used now, in which case it counts as used. Objects already in use may always be used. */
  use(name: string): boolean {
    const now = this.#now();
    if (!this.#usedAtMs.delete(name)) {
      this.#forget(now - STAY_MS);
      if (this.#usedAtMs.size >= this.#max) return false;
    }
    this.#usedAtMs.set(name, now);
    return true;
  }

  #forget(beforeMs: number): void {
    for (const [name, usedAtMs] of this.#usedAtMs) {
      if (usedAtMs > beforeMs) return;
      this.#usedAtMs.delete(name);
    }
  }
}

interface Namespace {
  getByName(name: string): object;
}

/** Wraps the namespaces in an environment, so that they return no object beyond the limit. */
export function withLimit<Env extends object>(env: Env, objects: OpenObjects): Env {
  const limited = Object.entries(env).filter(([, binding]) => isNamespace(binding));
  return {
    ...env,
    ...Object.fromEntries(limited.map(([name, binding]) => [name, limit(name, binding as Namespace, objects)])),
  };
}

/** Detects a namespace by its class: other bindings treat every property name as one of their methods. */
function isNamespace(binding: unknown): binding is Namespace {
  return (
    typeof binding === "object" && binding !== null && binding.constructor.name.startsWith("DurableObjectNamespace")
  );
}

function limit(binding: string, namespace: Namespace, objects: OpenObjects): Namespace {
  return new Proxy(namespace, {
    get: (target, property) => {
      if (property === "getByName") {
        return (name: string): object => (objects.use(`${binding} ${name}`) ? target.getByName(name) : UNAVAILABLE);
      }
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Every call of it fails with a mark that tells the server that the call was not sent and can be repeated. */
const UNAVAILABLE: object = new Proxy(
  {},
  {
    // A stub that is awaited must not look like a promise.
    get: (_, property) => (property === "then" ? undefined : () => Promise.reject(unsent())),
  },
);

function unsent(): Error {
  const error = new Error(
    "Too many objects are in use: this process cannot open more files or has no memory for more objects.",
  );
  return Object.assign(error, { unsent: true });
}
