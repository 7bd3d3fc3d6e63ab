/** A problem as `application/problem+json` [RFC 9457]. */

import { problemBody, PROBLEMS, type Problem, type Refusal } from "@durable-streams-cloudflare/protocol";

import { discardBody } from "./body.ts";

/**
 * @param requestId in the body of server faults, so that a report leads to the log line.
 * @param more members of the body besides.
 */
export function problemResponse(problem: Problem, requestId?: string, more: object = {}): Response {
  const body = { ...problemBody(problem), ...(requestId === undefined ? {} : { requestId }), ...more };
  return new Response(JSON.stringify(body), {
    status: PROBLEMS[problem.code].status,
    headers: { ...problem.headers, "Content-Type": "application/problem+json", "Cache-Control": "no-store" },
  });
}

/** The answer to a request that is refused, perhaps before its body was read. */
export async function refusedResponse(request: Request, { problem }: Refusal): Promise<Response> {
  await discardBody(request);
  const response = problemResponse(problem);
  return request.method === "HEAD" ? new Response(null, response) : response;
}
