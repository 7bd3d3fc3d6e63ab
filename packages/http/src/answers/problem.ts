/** A problem as `application/problem+json` [RFC 9457]. */

import { kindOf, problemBody, type Problem, type Refusal } from "@durable-streams-cloudflare/protocol";

import { discardBody } from "../limits/body.ts";
import type { HttpRequest } from "../ports.ts";
import { notesOf, REQUEST_ID_HEADER, requestIdOf } from "../requests/request-notes.ts";
import type { Answer } from "./answer.ts";
import { NO_STORE } from "./cache-control.ts";

/**
 * Encodes a problem as an answer, and notes it for the request's log line.
 * @param more further members of the JSON body.
 */
export function problemAnswer(request: HttpRequest, problem: Problem, more: object = {}): Answer {
  notesOf(request).problem = problem;
  const requestId = requestIdOf(request);
  return {
    status: kindOf(problem).status,
    headers: {
      ...problem.headers,
      "Content-Type": "application/problem+json",
      "Cache-Control": NO_STORE,
      [REQUEST_ID_HEADER]: requestId,
    },
    body: JSON.stringify({ ...problemBody(problem), requestId, ...more }),
  };
}

/** The answer to a refused request. Discards the body, if it has not been read. */
export async function refusedAnswer(request: HttpRequest, { problem }: Refusal): Promise<Answer> {
  await discardBody(request);
  return problemAnswer(request, problem);
}
