/** `ORIGIN_SECRET`: a secret that the proxy in front sends along, so that no request can bypass the proxy. */

import { isSameText } from "@durable-streams-cloudflare/core/project/reader-key";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { refusedAnswer } from "../answers/problem.ts";
import { isProbe } from "../paths/probe.ts";
import { rawPath } from "../paths/target.ts";
import type { Serve } from "../routing/dispatch.ts";

const SECRET_HEADER = "Stream-Origin-Secret";

/** Serves health probes and requests that carry the secret. Refuses all other requests with `proxy-required`. */
export function behindProxy(secret: string, serve: Serve): Serve {
  return async (incoming) => {
    const { request } = incoming;
    if (isProbe(rawPath(request.url))) return serve(incoming);
    const sent = request.headers.get(SECRET_HEADER);
    return sent !== null && (await isSameText(sent, secret)) ? serve(incoming) : refusedAnswer(request, refuseDirect());
  };
}

/** Not 403: official clients repeat that for ever when it meets a producer. */
function refuseDirect(): Refusal {
  return refuse("proxy-required", "This server accepts requests only through its proxy.", {
    hint: `Use the proxy's URL. The proxy must send the server's ORIGIN_SECRET in ${SECRET_HEADER}.`,
    headers: { "WWW-Authenticate": SECRET_HEADER },
  });
}
