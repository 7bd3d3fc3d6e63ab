/** `ORIGIN_SECRET`: what a proxy sends along, so that nobody comes in past it. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { isSameText } from "../project/reader-key.ts";
import { refusedResponse } from "./problem-response.ts";
import { isProbe } from "./routes/probes.ts";
import { rawPath } from "./target.ts";

const SECRET_HEADER = "Stream-Origin-Secret";

export type Serve = (request: Request, context: ExecutionContext) => Response | Promise<Response>;

/** Serves probes, and requests that carry the secret; refuses all others, whatever they ask. */
export function behindProxy(secret: string, serve: Serve): Serve {
  return async (request, context) => {
    if (isProbe(rawPath(request.url))) return serve(request, context);
    const sent = request.headers.get(SECRET_HEADER);
    return sent !== null && (await isSameText(sent, secret))
      ? serve(request, context)
      : refusedResponse(request, refuseDirect());
  };
}

/** Not 403: official clients repeat that for ever when it meets a producer. */
function refuseDirect(): Refusal {
  return refuse("proxy-required", "This server is reached through its proxy only.", {
    hint: `Use the proxy's URL. A proxy sends ${SECRET_HEADER}, which must be the server's ORIGIN_SECRET.`,
    headers: { "WWW-Authenticate": SECRET_HEADER },
  });
}
