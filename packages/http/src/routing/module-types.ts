/** The types of a module: its parts, and what its handlers are given. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Handled } from "../answers/answer.ts";
import type { Granted, Scope } from "../auth/authorize.ts";
import type { StreamClient } from "../client/stream-client.ts";
import type { Json } from "../limits/json-body.ts";
import type { Background, HttpRequest, Objects } from "../ports.ts";
import type { ModulePorts } from "./edge-ports.ts";
import type { DeclaredRoute, Route } from "./route.ts";

/** The class of an object. On Cloudflare, the class of a Durable Object. */
export type ObjectClass = abstract new (...parameters: never[]) => object;
/** The classes of a module's objects, by binding. */
export type ObjectClasses = Readonly<Record<string, ObjectClass>>;

/** A module as its author writes it. */
export interface ModuleSpec<Classes extends ObjectClasses = ObjectClasses, Config = unknown> {
  /** The module's name: lower-case letters, digits and dashes. */
  readonly name: string;
  readonly routes: readonly ModuleRoute<Classes, Config>[];
  /** The module's object classes, by binding. The host that serves the module must have each binding. */
  readonly objects?: Classes;
  /**
   * Parses the module's settings from those of the server.
   * @throws Error that names the wrong setting. The server then refuses to start.
   */
  config?(settings: Bindings): Config;
}

/**
 * A route of a module. Its path must not be below a path of the server. `of` says what the needed right is about, and so
 * determines the handler's argument.
 */
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

/** The argument of every handler of a module. */
export interface ModuleCall<Classes extends ObjectClasses, Config> {
  readonly request: HttpRequest;
  readonly background: Background;
  /** The path's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The result of the module's `config`. */
  readonly config: Config;
  /** The module's own objects, by binding. */
  readonly objects: { readonly [Binding in keyof Classes]: Objects<InstanceType<Classes[Binding]>> };
  /** Reads the body, a JSON object of at most `bytesMax` bytes, within `BODY_TIMEOUT_SECONDS`. An empty body counts as `{}`. */
  readonly readJson: (bytesMax: number) => Promise<Result<{ json: Json }>>;
}

/** The argument of a handler whose right is about a project. */
export interface ProjectCall<Classes extends ObjectClasses, Config> extends ModuleCall<Classes, Config> {
  readonly project: string;
  /** What the request was granted, and to whom. */
  readonly granted: Granted;
}

/** The argument of a handler whose right is about a stream. */
export interface StreamCall<Classes extends ObjectClasses, Config> extends ProjectCall<Classes, Config> {
  /** The stream that the path names. No right to any other stream has been checked. */
  readonly stream: StreamClient;
}

/** The settings and bindings of a server, by name. */
export type Bindings = Readonly<Record<string, unknown>>;

/**
 * A defined module, as a server uses it. It carries all code that serving a module needs, so that a server without modules
 * contains none of it.
 */
export interface Module {
  readonly name: string;
  readonly routes: readonly Route[];
  /** The bindings of the module's objects. */
  readonly bindings: readonly string[];
  /**
   * Checks that the module can be served together with others.
   * @throws ModuleError if it cannot.
   */
  checkBeside(others: readonly Module[]): void;
  /**
   * Reads the module's settings and objects from a server's bindings.
   * @throws ConfigError if a binding is missing, and whatever the module's `config` throws.
   */
  portsOf(bindings: object): ModulePorts;
}
