/** A problem as `application/problem+json` [RFC 9457]. */

import { problemBody, PROBLEMS, type Problem, type Refusal } from "@durable-streams-cloudflare/protocol";

import { discardBody } from "./limits/body.ts";
import { notesOf, REQUEST_ID_HEADER, requestIdOf } from "./request-notes.ts";

/** @param more members of the body besides. */
export function problemResponse(request: Request, problem: Problem, more: object = {}): Response {
  notesOf(request).problem = problem;
  const requestId = requestIdOf(request);
  return new Response(JSON.stringify({ ...problemBody(problem), requestId, ...more }), {
    status: PROBLEMS[problem.code].status,
    headers: {
      ...problem.headers,
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      [REQUEST_ID_HEADER]: requestId,
    },
  });
}

/** The answer to a request that is refused, perhaps before its body was read. */
export async function refusedResponse(request: Request, { problem }: Refusal): Promise<Response> {
  await discardBody(request);
  const response = problemResponse(request, problem);
  return request.method === "HEAD" ? new Response(null, response) : response;
}
