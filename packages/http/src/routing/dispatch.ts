/** Finds a request's route in the route table and serves it; refuses a request that has none. */

import type { Refusal } from "@durable-streams-cloudflare/protocol";

import type { Answer } from "../answers/answer.ts";
import { preflightAnswer } from "../answers/cors.ts";
import { refusedAnswer } from "../answers/problem.ts";
import { refuseMethod } from "../answers/refuse-method.ts";
import { refusedControl } from "../codec/subscription.ts";
import type { Background, HttpRequest } from "../ports.ts";
import type { EdgePorts } from "./edge-ports.ts";
import { methodsOf, type Found } from "./router.ts";

/** A request and what was found at its URL. */
export interface Incoming {
  readonly request: HttpRequest;
  readonly background: Background;
  readonly found: Found;
}

/** Answers a request. */
export type Serve = (incoming: Incoming) => Answer | Promise<Answer>;

/** Serves a request by its route. */
export function dispatch({ request, background, found }: Incoming, ports: EdgePorts): Answer | Promise<Answer> {
  if (request.method === "OPTIONS") return preflightAnswer(request, methodsOf(found));
  const route = found.routes.get(request.method);
  if (route !== undefined) {
    const { params, project, target } = found;
    return route.serve({ request, background, params, project, target }, ports);
  }
  return refusedAt(found, request, found.refusal ?? refuseMethodAt(found));
}

function refusedAt({ isControl }: Found, request: HttpRequest, refusal: Refusal): Promise<Answer> {
  return isControl ? refusedControl(request, refusal.problem) : refusedAnswer(request, refusal);
}

function refuseMethodAt(found: Found): Refusal {
  return refuseMethod(found.target === undefined ? "This route" : "A stream", methodsOf(found));
}
