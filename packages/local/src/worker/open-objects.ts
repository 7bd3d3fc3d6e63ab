/**
 * A limit of the objects (streams, sessions, projects …) that are in use at a time. Each holds files and memory until it has
 * not been used for ten seconds; a workerd that may open no more files does not refuse, but crashes.
 */

/** How long an object stays in memory after it was used, and a little more. */
const STAY_MS = 12_000;

export class OpenObjects {
  readonly #max: number;
  readonly #now: () => number;
  /** When each was used last; the longest ago is first. */
  readonly #usedAtMs = new Map<string, number>();

  /** @param now a clock, in milliseconds. */
  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** Whether an object may be used now; it counts as used then. Those that are in use may be used always. */
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

/** The same environment, with namespaces that give no object out which would be one too many. */
export function withLimit<Env extends object>(env: Env, objects: OpenObjects): Env {
  const limited = Object.entries(env).filter(([, binding]) => isNamespace(binding));
  return {
    ...env,
    ...Object.fromEntries(limited.map(([name, binding]) => [name, limit(name, binding as Namespace, objects)])),
  };
}

/** Other bindings answer to every name, as a method of theirs; only a namespace can make ids. */
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

/** Every call of it fails with the mark by which the server knows that it was not sent, and may be made again. */
const UNAVAILABLE: object = new Proxy(
  {},
  {
    // Whoever waits for the stub itself must not take it for a promise.
    get: (_, property) => (property === "then" ? undefined : () => Promise.reject(unsent())),
  },
);

function unsent(): Error {
  const error = new Error(
    "Too many objects are in use: this process may open no more files, or has no memory for them.",
  );
  return Object.assign(error, { unsent: true });
}
