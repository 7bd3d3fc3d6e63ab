/** The Durable Objects of modules: a class is made of a module's class, for the Worker to export. */

import { createObject } from "@durable-streams-cloudflare/http/modules/create-object";
import { ModuleError } from "@durable-streams-cloudflare/http/modules/module-error";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import type { ModuleObject, ObjectClass } from "@durable-streams-cloudflare/http/modules/object-class";
import type { RemoteObject } from "@durable-streams-cloudflare/http/modules/remote-objects";
import type { Socket, SocketEvents, SocketMessage } from "@durable-streams-cloudflare/http/modules/socket";
import { callMethod } from "@durable-streams-cloudflare/http/objects/stub";
import { DurableObject } from "cloudflare:workers";

import { ModuleSockets } from "./module-sockets.ts";
import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

/** A class of Durable Objects for a module. */
export type ModuleObjectClass = new (
  context: DurableObjectState,
  env: ObjectEnv,
) => DurableObject<ObjectEnv> & Pick<RemoteObject, "call">;

/**
 * Makes the class of Durable Objects for a module's objects. The Worker exports it by a name that it keeps, and wrangler.toml
 * binds that name as `binding` (docs/modules.md).
 * @throws ModuleError if the module has no objects of that binding.
 * @example
 * export const TallyDO = moduleObject(tally, "TALLIES");
 * export default createDurableStreams({ modules: [tally] });
 */
export function moduleObject(module: Module, binding: string): ModuleObjectClass {
  const objectClass = module.objects[binding];
  if (objectClass === undefined) throw new ModuleError(`Module ${module.name} has no objects ${binding}.`);
  return objectsOf(module, objectClass);
}

function objectsOf(module: Module, objectClass: ObjectClass): ModuleObjectClass {
  return class extends DurableObject<ObjectEnv> {
    readonly #object: ModuleObject;
    readonly #sockets: ModuleSockets | undefined;

    constructor(context: DurableObjectState, env: ObjectEnv) {
      super(context, env);
      const peers = peersOf(env);
      const { schema, sockets: limits } = objectClass;
      const sockets = limits && new ModuleSockets(context, limits, peers);
      this.#sockets = sockets;
      const list = (tag?: string): readonly Socket[] => sockets?.list(tag) ?? [];
      this.#object = createObject(objectClass, runtimeOf(context, schema), peers, module.portsOf(env), list);
    }

    async call(method: string, values: readonly unknown[]): Promise<unknown> {
      return callMethod(this.#object.api, method, values);
    }

    override async alarm(): Promise<void> {
      await this.#object.alarm?.();
    }

    /** Opens a socket. */
    override async fetch(request: Request): Promise<Response> {
      const [sockets, events] = this.#withSockets();
      return sockets.open(request, events);
    }

    override async webSocketMessage(socket: WebSocket, message: SocketMessage): Promise<void> {
      const [sockets, events] = this.#withSockets();
      await sockets.message(socket, message, events);
    }

    override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
      const [sockets, events] = this.#withSockets();
      await sockets.closed(socket, code, reason, events);
    }

    override async webSocketError(socket: WebSocket): Promise<void> {
      const [sockets, events] = this.#withSockets();
      await sockets.failed(socket, events);
    }

    #withSockets(): readonly [ModuleSockets, SocketEvents] {
      const { sockets: events } = this.#object;
      if (this.#sockets === undefined || events === undefined) throw new Error("The object has no sockets.");
      return [this.#sockets, events];
    }
  };
}
