/**
 * A class of a module's objects. One object is what has to be in order: its rows, its alarm and its calls are its own, and each
 * host makes it in its own way, as it makes the server's objects. On Cloudflare it is a Durable Object with a database to
 * itself; in one Node.js process all objects share a database.
 */

import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { ModuleKind } from "@durable-streams-cloudflare/core/kit/sql/table";

import type { ObjectPeers, ObjectRuntime } from "../objects/runtime.ts";
import type { Objects } from "../ports.ts";
import type { Socket, SocketEvents, SocketLimits } from "./socket.ts";

/**
 * A class of objects.
 * @template Api the methods that routes and other objects may call. They take and return plain data, by promises, and return
 *   expected problems instead of throwing.
 * @template Values the settings of the module.
 */
export interface ObjectClass<Api extends object = object, Values = unknown> {
  /**
   * The tables of each object. Their kind, `module_` and a name of lower-case letters and digits, is what the stored data is
   * known by: it must never change, and no two modules may have the same.
   */
  readonly schema: Schema<ModuleKind>;
  /** Present if the objects have sockets. */
  readonly sockets?: SocketLimits;
  /** Creates one object. It is called whenever the object is loaded into memory. */
  create(host: ModuleObjectHost<Values>): ModuleObject<Api>;
}

/** An object in memory. */
export interface ModuleObject<Api extends object = object> {
  readonly api: Api;
  /** Called when the object's alarm fires. If it rejects, the alarm fires again. */
  alarm?(): Promise<void>;
  /** What it does with its sockets. Present if and only if its class has limits for them. */
  readonly sockets?: SocketEvents;
}

/** What a host supplies to one object of a module. */
export interface ModuleObjectHost<Values = unknown> extends ObjectRuntime {
  /** The module's settings. */
  readonly settings: Values;
  /** The server's own objects, and its configuration. */
  readonly peers: ObjectPeers;
  /**
   * The objects of the module, by binding.
   * @throws Error if the module has none of that binding.
   */
  objects<Api extends object>(binding: string): Objects<Api>;
  /**
   * The object's open sockets, also those from before it was loaded.
   * @param tag only those that were opened with this tag.
   */
  sockets(tag?: string): readonly Socket[];
  /** Adds to a counter of the module. Counters are for metrics: nothing is stored. */
  count(name: string, by?: number): void;
  /** In ms since the epoch. */
  now(): number;
  /** A random id that nobody can guess. */
  newId(): string;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
}

/** Defines a class of objects. */
export function defineObject<Api extends object, Values = unknown>(
  spec: ObjectClass<Api, Values>,
): ObjectClass<Api, Values> {
  return spec;
}
