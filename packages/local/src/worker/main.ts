/** The server's Worker, and beside it what its launcher asks of it: an entry point that no client can reach. */

import { createDurableStreams } from "@durable-streams-cloudflare/server";
import { WorkerEntrypoint } from "cloudflare:workers";

import { RequestCounts } from "./request-counts.ts";

export * from "@durable-streams-cloudflare/server/worker";

const streams = createDurableStreams();
const counts = new RequestCounts(() => performance.now());

/** `control.ts` is the other side. */
export class Control extends WorkerEntrypoint {
  override fetch(request: Request): Response {
    switch (`${request.method} ${new URL(request.url).pathname}`) {
      case "GET /metrics":
        return new Response(counts.format(streams.liveReads.count));
      case "POST /end-live-reads":
        streams.liveReads.end();
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 404 });
    }
  }
}

export default {
  fetch: (request, env, context) => counts.count(request, () => streams.fetch(request, env, context)),
  queue: (batch, env) => streams.queue(batch, env),
} satisfies Pick<typeof streams, "fetch" | "queue">;
