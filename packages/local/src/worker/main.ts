/** The server's Worker, and a second entry point for its launcher that no client can reach. */

import { formatPrometheus } from "@durable-streams-cloudflare/http/metrics/prometheus";
import { RequestCounts } from "@durable-streams-cloudflare/http/metrics/request-counts";
import { createDurableStreams, type DurableStreamsEnv } from "@durable-streams-cloudflare/server";
import * as server from "@durable-streams-cloudflare/server/worker";
import { env as bindings, WorkerEntrypoint } from "cloudflare:workers";

import { dateOf } from "./date.ts";
import { DiskStatus, durably, removeDamagedStream, type Launcher } from "./launcher.ts";
import { ObjectFiles } from "./object-files.ts";
import { OpenObjects, withLimit } from "./open-objects.ts";

export * from "@durable-streams-cloudflare/server/worker";

type LocalEnv = DurableStreamsEnv & { readonly LAUNCHER: Launcher; readonly OPEN_OBJECTS_MAX: number };

const now = (): number => performance.now();
const given = bindings as unknown as LocalEnv;
const objects = new OpenObjects(given.OPEN_OBJECTS_MAX, now);

/** Wraps the bindings that the server and its objects get. */
function onThisMachine<Env extends object>(own: Env & LocalEnv): Env {
  return withLimit(durably<Env>(own), objects);
}

// One environment for all requests: the server caches its state per environment.
const env = onThisMachine<LocalEnv>(given);
const disk = new DiskStatus(() => env.LAUNCHER, now);
const files = new ObjectFiles(bindings);
const streams = createDurableStreams<LocalEnv>({
  storage: disk,
  mayExist: files.mayExist,
  removeDamaged: (name) => removeDamagedStream(env.LAUNCHER, given.STREAMS.idFromName(name).toString()),
});
const counts = new RequestCounts(now);

type EnvOf<Class extends abstract new (context: never, env: never) => object> = ConstructorParameters<Class>[1] &
  LocalEnv;

export class StreamDO extends server.StreamDO {
  constructor(context: DurableObjectState, own: EnvOf<typeof server.StreamDO>) {
    super(context, onThisMachine(own));
  }
}

export class ProjectDO extends server.ProjectDO {
  constructor(context: DurableObjectState, own: EnvOf<typeof server.ProjectDO>) {
    super(context, onThisMachine(own));
  }
}

export class SubscriptionDO extends server.SubscriptionDO {
  constructor(context: DurableObjectState, own: EnvOf<typeof server.SubscriptionDO>) {
    super(context, onThisMachine(own));
  }
}

export class EstuaryDO extends server.EstuaryDO {
  constructor(context: DurableObjectState, own: EnvOf<typeof server.EstuaryDO>) {
    super(context, onThisMachine(own));
  }
}

export class ConsumerDO extends server.ConsumerDO {
  constructor(context: DurableObjectState, own: EnvOf<typeof server.ConsumerDO>) {
    super(context, onThisMachine(own));
  }
}

/** Answers the requests of `../control.ts`. */
export class Control extends WorkerEntrypoint {
  override fetch(request: Request): Response {
    switch (`${request.method} ${new URL(request.url).pathname}`) {
      case "GET /metrics":
        return new Response(formatPrometheus(counts.metrics(streams.liveReads.count)));
      case "POST /end-live-reads":
        streams.liveReads.end();
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 404 });
    }
  }
}

export default {
  async fetch(request, _, context) {
    const response = await counts.count(request, () => streams.fetch(request, env, context));
    // Cloudflare adds this header itself. A server with a clock must send it [RFC 9110 §6.6.1].
    response.headers.set("Date", dateOf(Date.now()));
    return response;
  },
  queue: (batch) => streams.queue(batch, env),
} satisfies Pick<ExportedHandler<LocalEnv>, "fetch" | "queue">;
