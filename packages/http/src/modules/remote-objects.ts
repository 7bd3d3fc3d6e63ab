/** The objects of a module on a host that calls objects by RPC: one method carries all calls. */

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import type { Refusal } from "@durable-streams-cloudflare/protocol";

import { stubOf } from "../objects/stub.ts";
import type { Objects } from "../ports.ts";
import type { ModulePorts } from "../routing/edge-ports.ts";
import type { ObjectClasses } from "./module-types.ts";
import type { ModuleObjects, SocketOpening } from "./socket.ts";

/** An object of a module as the host's binding has it. */
export interface RemoteObject {
  /** Calls a method of the object by its name. */
  call(method: string, values: readonly unknown[]): Promise<unknown>;
  /** Opens a socket: the only thing that is asked for in this way. */
  fetch(url: string, init: { readonly headers: Readonly<Record<string, string>> }): Promise<RemoteAnswer>;
}

/** What a host answers to a request for a socket: the client's end, or a refusal as JSON. */
interface RemoteAnswer {
  readonly webSocket: unknown;
  json(): Promise<unknown>;
}

/** The header by which an object is told how to open a socket. */
const OPENING_HEADER = "x-opening";

/** The opening that a request of `remoteObjects` carries. */
export function openingOf(headers: { get(name: string): string | null }): SocketOpening {
  return JSON.parse(decodeURIComponent(headers.get(OPENING_HEADER) ?? "null")) as SocketOpening;
}

type Remotes = Objects<RemoteObject>;

/**
 * Finds the objects of a module among a host's bindings.
 * @throws ConfigError which says how to bind those that are missing.
 */
export function remoteObjects(name: string, classes: ObjectClasses, env: object): ModulePorts["objects"] {
  const bindings = env as Readonly<Record<string, Remotes | undefined>>;
  const missing: string[] = [];
  const found = Object.keys(classes).flatMap((binding) => {
    const remotes = bindings[binding];
    if (typeof remotes?.getByName === "function") return [[binding, objectsOf(remotes)] as const];
    missing.push(howToBind(name, binding));
    return [];
  });
  if (missing.length > 0) throw new ConfigError(missing.join("\n"));
  return Object.fromEntries(found);
}

function objectsOf(remotes: Remotes): ModuleObjects {
  return {
    getByName: (name) => stubOf((method, values) => remotes.getByName(name).call(method, values)),
    connect: async (name, opening) => {
      const headers = { Upgrade: "websocket", [OPENING_HEADER]: encodeURIComponent(JSON.stringify(opening)) };
      const answer = await remotes.getByName(name).fetch("https://object/", { headers });
      return answer.webSocket === null || answer.webSocket === undefined
        ? ((await answer.json()) as Refusal)
        : { ok: true, end: answer.webSocket };
    },
  };
}

function howToBind(module: string, binding: string): string {
  return (
    `The module ${module} needs objects that are bound as ${binding}. In the Worker, export a class made by ` +
    `moduleObject(module, "${binding}"). In wrangler.toml, bind it as ${binding} below [[durable_objects.bindings]], ` +
    "and add it to new_sqlite_classes of a new migration."
  );
}
