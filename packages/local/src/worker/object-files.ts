/**
 * Tells which objects have a file. workerd creates a file for each object that is called, and keeps it. So if the object itself
 * were asked whether it exists, every name that a client makes up would leave a file on the disk.
 */

/** The runtime's service that serves the directory of all objects; `sockets.ts` adds it. */
interface ObjectFilesEnv {
  readonly OBJECT_FILES: { fetch(url: string, init: { method: "HEAD" }): Promise<{ readonly status: number }> };
}

/** The directories, as Miniflare names them. */
const DIRECTORIES = {
  STREAMS: "durable-streams-StreamDO",
  PROJECTS: "durable-streams-ProjectDO",
  CONSUMERS: "durable-streams-ConsumerDO",
  ESTUARIES: "durable-streams-EstuaryDO",
  SUBSCRIPTIONS: "durable-streams-SubscriptionDO",
} as const;

type ObjectKind = keyof typeof DIRECTORIES;
type Namespaces = Readonly<Record<ObjectKind, { idFromName(name: string): { toString(): string } }>>;

/** How many objects of each kind are remembered to have a file. Above that, all of them are forgotten. */
const KNOWN_MAX = 20_000;

/** Looks for objects' files, and remembers those that it found. */
export class ObjectFiles {
  readonly #env: ObjectFilesEnv & Namespaces;
  readonly #known: Readonly<Record<ObjectKind, Set<string>>> = {
    STREAMS: new Set(),
    PROJECTS: new Set(),
    CONSUMERS: new Set(),
    ESTUARIES: new Set(),
    SUBSCRIPTIONS: new Set(),
  };

  /** @param env the bindings of wrangler.toml, and the one that `sockets.ts` adds. */
  constructor(env: object) {
    this.#env = env as ObjectFilesEnv & Namespaces;
  }

  /**
   * Whether an object may have stored anything: whether it has a file. Files are never removed while the server runs, so a
   * positive answer stays valid.
   */
  readonly mayExist = (kind: ObjectKind, name: string): boolean | Promise<boolean> =>
    this.#known[kind].has(name) || this.#look(kind, name);

  async #look(kind: ObjectKind, name: string): Promise<boolean> {
    const id = this.#env[kind].idFromName(name).toString();
    const { status } = await this.#env.OBJECT_FILES.fetch(`http://disk/${DIRECTORIES[kind]}/${id}.sqlite`, {
      method: "HEAD",
    });
    if (status === 404) return false;
    const known = this.#known[kind];
    if (known.size >= KNOWN_MAX) known.clear();
    known.add(name);
    return true;
  }
}
