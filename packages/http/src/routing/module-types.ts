/** The types of a module: its parts, and what its handlers are given. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Handled } from "../answers/answer.ts";
import type { Granted, Scope } from "../auth/authorize.ts";
import type { StreamClient } from "../client/stream-client.ts";
import type { Json } from "../limits/json-body.ts";
import type { Background, HttpRequest, Objects } from "../ports.ts";
import type { ModulePorts } from "./edge-ports.ts";
import type { DeclaredRoute, Route } from "./route.ts";

/** What an object is made of. On Cloudflare: the class of a Durable Object. */
export type ObjectClass = abstract new (...parameters: never[]) => object;
export type ObjectClasses = Readonly<Record<string, ObjectClass>>;

export interface ModuleSpec<Classes extends ObjectClasses = ObjectClasses, Config = unknown> {
  /** Lower case letters, digits and dashes. */
  readonly name: string;
  readonly routes: readonly ModuleRoute<Classes, Config>[];
  /** By binding. The host that serves the module must have each of them. */
  readonly objects?: Classes;
  /**
   * Reads the module's settings from those of the server.
   * @throws Error that says which one is wrong; nothing is served then.
   */
  config?(settings: Bindings): Config;
}

/** Below no path of the server. `of` says what the right is about, and with that what the handler is given. */
export type ModuleRoute<Classes extends ObjectClasses, Config> =
  | RouteOfStream<Classes, Config>
  | RouteOfProject<Classes, Config>
  | RouteOfNothing<Classes, Config>;

/** For whoever has the scope for one stream. The path has `/:project`, and `:stream` or `:stream{.+}`. */
interface RouteOfStream<Classes extends ObjectClasses, Config> extends DeclaredRoute {
  readonly of: "stream";
  readonly needs: Scope;
  handle(call: StreamCall<Classes, Config>): Promise<Handled>;
}

/** For whoever has the scope for a whole project. The path has `/:project`. */
interface RouteOfProject<Classes extends ObjectClasses, Config> extends DeclaredRoute {
  readonly of: "project";
  readonly needs: Scope;
  handle(call: ProjectCall<Classes, Config>): Promise<Handled>;
}

/** For everybody, without a token: it must cost nothing that somebody else pays for. */
interface RouteOfNothing<Classes extends ObjectClasses, Config> extends DeclaredRoute {
  readonly of: "nothing";
  readonly needs: "nothing";
  handle(call: ModuleCall<Classes, Config>): Promise<Handled>;
}

export interface ModuleCall<Classes extends ObjectClasses, Config> {
  readonly request: HttpRequest;
  readonly background: Background;
  /** The parts of the path that its pattern names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** What the module's `config` has read. */
  readonly config: Config;
  /** The module's own objects, by binding. */
  readonly objects: { readonly [Binding in keyof Classes]: Objects<InstanceType<Classes[Binding]>> };
  /** The body, an object; no body is an empty one. It is read within the limit, and within the server's time for bodies. */
  readonly readJson: (bytesMax: number) => Promise<Result<{ json: Json }>>;
}

export interface ProjectCall<Classes extends ObjectClasses, Config> extends ModuleCall<Classes, Config> {
  readonly project: string;
  /** What has been granted to whom. */
  readonly granted: Granted;
}

export interface StreamCall<Classes extends ObjectClasses, Config> extends ProjectCall<Classes, Config> {
  /** The stream that the path names; of another one nothing has been granted. */
  readonly stream: StreamClient;
}

/** The settings and bindings of a server, by name. */
export type Bindings = Readonly<Record<string, unknown>>;

/**
 * A module as a server takes it. All that it takes to serve one comes with it: a server without modules carries
 * nothing of it.
 */
export interface Module {
  readonly name: string;
  readonly routes: readonly Route[];
  /** Of its objects. */
  readonly bindings: readonly string[];
  /** @throws ModuleError when the module cannot be served together with others. */
  checkBeside(others: readonly Module[]): void;
  /**
   * What the module has of its own on a server.
   * @throws ConfigError when a binding is missing; whatever `config` throws.
   */
  portsOf(bindings: object): ModulePorts;
}
