/** The types of a module: its parts, and what its handlers are given. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Handled } from "../answers/answer.ts";
import type { Granted, Scope } from "../auth/authorize.ts";
import type { StreamClient } from "../client/stream-client.ts";
import type { Json } from "../limits/json-body.ts";
import type { Background, HttpRequest, Objects } from "../ports.ts";
import type { ModulePorts } from "../routing/edge-ports.ts";
import type { DeclaredRoute, Route } from "../routing/route.ts";
import type { Connecting } from "./connect.ts";
import type { ModuleCounters } from "./module-counts.ts";
import type { ModuleProblems } from "./module-problems.ts";
import type { ModuleSettings, ValuesOf } from "./module-settings.ts";
import type { ObjectClass } from "./object-class.ts";

/** The classes of a module's objects, by binding. */
export type ObjectClasses = Readonly<Record<string, ObjectClass>>;

/** A module as its author writes it. */
export interface ModuleSpec<
  Classes extends ObjectClasses = ObjectClasses,
  Settings extends ModuleSettings = ModuleSettings,
> {
  /** The module's name: lower-case letters, digits and dashes. */
  readonly name: string;
  readonly routes: readonly ModuleRoute<Classes, ValuesOf<Settings>>[];
  /** The classes of the module's objects, by binding. On Cloudflare, the Worker must have each binding. */
  readonly objects?: Classes;
  /** The module's settings, by name: capital letters, digits and underscores, beginning like the module's name. */
  readonly settings?: Settings;
  /** The problems that the module refuses requests with, besides the server's. */
  readonly problems?: ModuleProblems;
  /** What the module counts for metrics: names of lower-case letters and underscores, each with its help text. */
  readonly counters?: ModuleCounters;
}

/**
 * A route of a module. Its path must not be below a path of the server. `of` says what the needed right is about, and so
 * determines the handler's argument.
 */
export type ModuleRoute<Classes extends ObjectClasses, Values> =
  | RouteOfStream<Classes, Values>
  | RouteOfProject<Classes, Values>
  | RouteOfNothing<Classes, Values>;

/** For whoever has the scope for one stream. The path has `/:project`, and `:stream` or `:stream{.+}`. */
interface RouteOfStream<Classes extends ObjectClasses, Values> extends DeclaredRoute {
  readonly of: "stream";
  readonly needs: Scope;
  handle(call: StreamCall<Classes, Values>): Promise<Handled>;
}

/** For whoever has the scope for a whole project. The path has `/:project`. */
interface RouteOfProject<Classes extends ObjectClasses, Values> extends DeclaredRoute {
  readonly of: "project";
  readonly needs: Scope;
  handle(call: ProjectCall<Classes, Values>): Promise<Handled>;
}

/** For everybody, without a token: it must cost nothing that somebody else pays for. */
interface RouteOfNothing<Classes extends ObjectClasses, Values> extends DeclaredRoute {
  readonly of: "nothing";
  readonly needs: "nothing";
  handle(call: ModuleCall<Classes, Values>): Promise<Handled>;
}

/** The argument of every handler of a module. */
export interface ModuleCall<Classes extends ObjectClasses, Values> {
  readonly request: HttpRequest;
  readonly background: Background;
  /** The path's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The values of the module's settings. */
  readonly settings: Values;
  /** The module's own objects, by binding. */
  readonly objects: { readonly [Binding in keyof Classes]: Objects<ApiOf<Classes[Binding]>> };
  /** Adds to a counter of the module. */
  readonly count: (name: string, by?: number) => void;
  /**
   * Opens a socket to an object of the module. Only for GET, and for requests that ask for one: others are refused, and so are
   * pages of origins that are not the project's.
   */
  readonly connect: (binding: keyof Classes & string, name: string, connecting?: Connecting) => Promise<Handled>;
  /** Reads the body, a JSON object of at most `bytesMax` bytes, within `BODY_TIMEOUT_SECONDS`. An empty body counts as `{}`. */
  readonly readJson: (bytesMax: number) => Promise<Result<{ json: Json }>>;
}

/** The argument of a handler whose right is about a project. */
export interface ProjectCall<Classes extends ObjectClasses, Values> extends ModuleCall<Classes, Values> {
  readonly project: string;
  /** What the request was granted, and to whom. */
  readonly granted: Granted;
}

/** The argument of a handler whose right is about a stream. */
export interface StreamCall<Classes extends ObjectClasses, Values> extends ProjectCall<Classes, Values> {
  /** The stream that the path names. No right to any other stream has been checked. */
  readonly stream: StreamClient;
}

type ApiOf<Class> = Class extends ObjectClass<infer Api, never> ? Api : never;

/**
 * A defined module, as a server uses it. It carries all code that serving a module needs, so that a server without modules
 * contains none of it.
 */
export interface Module {
  readonly name: string;
  readonly routes: readonly Route[];
  /** The classes of the module's objects, by binding. */
  readonly objects: ObjectClasses;
  readonly settings: ModuleSettings;
  readonly problems: ModuleProblems["kinds"];
  /**
   * Checks that the module can be served together with others.
   * @throws ModuleError if it cannot.
   */
  checkBeside(others: readonly Module[]): void;
  /**
   * Makes what the module's handlers and objects use.
   * @param env the settings of the server by name, and, unless `objects` are given, the bindings of the objects.
   * @throws ConfigError if a setting is invalid or a binding is missing.
   */
  portsOf(env: object, objects?: ModulePorts["objects"]): ModulePorts;
}
