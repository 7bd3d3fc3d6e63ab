/**
 * Everything that the server takes for granted about Cloudflare's network and that workerd on one machine cannot show.
 * `docs/to-be-confirmed.md` is made from this table, and `doctor --network` carries out the probes in it.
 */

import { objectUse, workerUse } from "./account-commands.ts";
import type { Assumption } from "./assumption.ts";
import { probeDeleted, probeErrorsUncached, probeHead, probeUnchanged } from "./caching.ts";
import { probeLongPollTogether, probeSseIdle, probeSseTime } from "./live.ts";
import { probeAppendTime, probeConcurrentAppends, probeLargeAppend } from "./writing.ts";

export const ASSUMPTIONS: readonly Assumption[] = [
  {
    id: "append-time",
    assumes: "An append is acknowledged in tens of milliseconds on the location that is nearest to the writer.",
    otherwise:
      "Writers in one place and a stream that was first used in another are slow: give the project a location hint.",
    check: { probe: probeAppendTime },
  },
  {
    id: "concurrent-appends",
    assumes: "The runtime never repeats an append by itself after it has been acknowledged.",
    otherwise: "Messages without producer headers arrive twice: send them with producer headers.",
    check: { probe: probeConcurrentAppends },
  },
  {
    id: "large-append",
    assumes: "A body of several megabytes reaches the Worker unchanged.",
    otherwise: "Large appends fail or are damaged: look at the body limit of the plan and at the rules of the zone.",
    check: { probe: probeLargeAppend },
  },
  {
    id: "head",
    assumes: "A HEAD reaches the server, or is answered with the headers that the server would send.",
    otherwise:
      "Clients that look for the end of a stream with HEAD see an old end, so they begin too early, but miss nothing.",
    check: { probe: probeHead },
  },
  {
    id: "errors-uncached",
    assumes: "No cache keeps a response that says `no-store`.",
    otherwise: "A new stream seems not to exist for as long as a cache keeps the refusal.",
    check: { probe: probeErrorsUncached },
  },
  {
    id: "deleted",
    assumes: "No cache serves a read from the beginning of a stream without asking the server.",
    otherwise: "Deleted data can still be read for as long as a cache keeps it.",
    check: { probe: probeDeleted },
  },
  {
    id: "unchanged",
    assumes: "Nothing rewrites response bodies, whatever their content type, nor drops headers of the protocol.",
    otherwise: "Readers of HTML streams get other bytes than were appended.",
    check: { probe: probeUnchanged },
  },
  {
    id: "sse-time",
    assumes: "An event of a live read is sent on at once, without being held back or compressed in blocks.",
    otherwise: "Events arrive late and in groups: turn off buffering and compression for text/event-stream.",
    check: { probe: probeSseTime },
  },
  {
    id: "sse-idle",
    assumes:
      "A response without events stays open while heartbeats are sent, and its object, which hibernates, finds it again.",
    otherwise: "Idle readers reconnect more often than SSE_SESSION_SECONDS says, and each time costs a request.",
    check: { probe: probeSseIdle },
  },
  {
    id: "long-poll-together",
    assumes: "Long-polls for the same offset wait side by side.",
    otherwise: "Behind a cache that fills one entry at a time, the tenth reader waits ten times as long as the first.",
    check: { probe: probeLongPollTogether },
  },
  {
    id: "log-redaction",
    assumes: "`redact_query_string` keeps the query of every URL out of the logs.",
    otherwise: "Read URLs and reader keys, which are secrets, stand in Workers Logs: turn Workers Logs off.",
    check: {
      command: "npx wrangler tail NAME --format json",
      look: "Read a stream with `?key=…`. No line, and no event in Workers Logs, has the key.",
    },
  },
  {
    id: "public-fetch",
    assumes:
      "With `global_fetch_strictly_public`, a webhook to a host name of the same zone or account passes its front door.",
    otherwise:
      "Webhooks could reach an origin behind its firewall, or fail with error 1042: use another zone for receivers.",
    check: {
      command:
        "durable-streams subscription create doctor --webhook https://RECEIVER.SUBDOMAIN.workers.dev/ --pattern '**'",
      look: "RECEIVER is another Worker of the account. After an append, its log shows the delivery.",
    },
  },
  {
    id: "rows-billed",
    assumes: "The platform bills the rows that SQLite's cursors count, and none for `DROP TABLE`.",
    otherwise: "The row figures in docs/cost.md are wrong, and with them two thirds of the price of an append.",
    check: {
      command: objectUse("rowsRead rowsWritten"),
      look: "Divide by the appends of that day: one row written for each commit that stood alone.",
    },
  },
  {
    id: "object-awake",
    assumes: "An object is awake for about 10 ms for each event, and costs nothing while it waits to hibernate.",
    otherwise: "Idle streams are billed by the second: compare with docs/cost.md.",
    check: {
      command: objectUse("activeTime cpuTime"),
      look: "Active time (in microseconds) divided by the requests of that day.",
    },
  },
  {
    id: "cpu-billed",
    assumes: "Of the processor time of a delivery, only the part inside the isolate is billed.",
    otherwise: "The higher of the two figures in docs/cost.md is the true one.",
    check: {
      command: workerUse("requests cpuTimeUs"),
      look: "With 100 readers and one message a second for an hour: `cpuTimeUs` divided by 360,000.",
    },
  },
  {
    id: "isolates-of-readers",
    assumes: "Ten thousand live readers of one stream are held by about a hundred isolates, each with one channel.",
    otherwise:
      "The object is awake longer for each commit: at worst, busy readers cost what docs/cost.md says for SHARED_LIVE=off.",
    check: {
      command: objectUse("outboundWebsocketMsgCount"),
      look: "With many readers of one stream: messages that its object sent, divided by the appends of that day.",
    },
  },
  {
    id: "logs-billed",
    assumes: "With `invocation_logs = false`, only the lines that the server writes itself are billed.",
    otherwise: "Each request and each event of an object is a billed log line: turn Workers Logs off.",
    check: {
      command: "open https://dash.cloudflare.com/ACCOUNT/workers-and-pages/observability",
      look: "A day with reads and appends, but without errors, has no more events than lines of the server's own log.",
    },
  },
  {
    id: "alarm-with-commit",
    assumes: "An alarm that is set in the turn of a commit is stored together with it.",
    otherwise: "After a crash, a notice may be sent only with the next append.",
    check: {
      command: "npx wrangler tail NAME --format json",
      look: "Deploy while a writer publishes into estuaries: every message reaches every session within seconds.",
    },
  },
  {
    id: "code-update",
    assumes: "After a deploy, objects of the version before keep working with the new edge for up to five minutes.",
    otherwise:
      "Requests fail for minutes after each deploy: set `code_update_strategy` so that objects restart at once.",
    check: {
      command: "npx pnpm run deploy & durable-streams doctor --network",
      look: "All probes pass while the deploy takes effect, and again after five minutes.",
    },
  },
  {
    id: "one-retry-layer",
    assumes: "A call to a stream's object that is made with `maxRetries: 0` is not repeated by the runtime.",
    otherwise: "When an object is unreachable, each call is tried up to 25 times instead of 5.",
    check: {
      command: "npx wrangler tail NAME --format json",
      look: "Deploy while a writer appends: no request has more than 5 calls to the same object.",
    },
  },
  {
    id: "head-through-workers-caching",
    assumes: "With Workers Caching, a HEAD reaches the Worker as a GET without query parameters.",
    otherwise: "HEAD is answered from a cache with an old end of the stream: leave Workers Caching off.",
    check: {
      command: "durable-streams doctor --network --only head",
      look: "Run it against a deployment that was set up with `--caching`. It must hold there, too.",
    },
  },
  {
    id: "rate-limit",
    assumes: "The rate limit counts per location, and about right.",
    otherwise: "A project gets more requests than its limit says: by the number of locations that serve it.",
    check: {
      command: "durable-streams project set PROJECT limits.requestsPerMinute=100",
      look: "Send 300 requests within a minute from one place: about 100 pass.",
    },
  },
];
