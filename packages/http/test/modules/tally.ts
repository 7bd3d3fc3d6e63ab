/** An example of a module: it counts how often somebody asks where a stream ends. docs/modules.md explains it. */

import { answerJson, answerNothing } from "@durable-streams-cloudflare/http/answers/answer";
import { defineModule } from "@durable-streams-cloudflare/http/modules/module";
import { refuse } from "@durable-streams-cloudflare/protocol";

import { tallies } from "./tally-object.ts";
import { TALLY_PROBLEMS, TALLY_SETTINGS } from "./tally-parts.ts";

const BODY_BYTES_MAX = 1_024;

export const tally = defineModule({
  name: "tally",
  objects: { TALLIES: tallies },
  settings: TALLY_SETTINGS,
  problems: TALLY_PROBLEMS,
  counters: { adds: "Number of times that a stream was asked about." },
  routes: [
    {
      method: "GET",
      path: "/v1/tally/:project/streams/:stream{.+}",
      of: "stream",
      needs: "read",
      touches: ["STREAMS", "TALLIES"],
      handle: async ({ stream, objects }) => {
        const head = await stream.call((stub) => stub.head());
        if (!head.ok) return head;
        const added = await objects.TALLIES.getByName(stream.objectName).add();
        return added.ok ? { ok: true, answer: answerJson({ tail: head.tail, count: added.count }) } : added;
      },
    },
    {
      method: "DELETE",
      path: "/v1/tally/:project/streams/:stream{.+}",
      of: "stream",
      needs: "manage",
      touches: ["TALLIES"],
      handle: async ({ stream, objects }) => {
        await objects.TALLIES.getByName(stream.objectName).reset();
        return { ok: true, answer: answerNothing() };
      },
    },
    {
      method: "GET",
      path: "/v1/tally/:project/watch/:stream{.+}",
      of: "stream",
      needs: "read",
      touches: ["TALLIES"],
      handle: ({ stream, connect }) =>
        connect("TALLIES", stream.objectName, { protocols: ["tally.v1"], attachment: { messages: 0 } }),
    },
    {
      method: "POST",
      path: "/v1/tally/:project/check",
      of: "project",
      needs: "write",
      touches: ["TALLIES"],
      handle: async ({ project, objects, readJson }) => {
        const body = await readJson(BODY_BYTES_MAX);
        if (!body.ok) return body;
        const { stream, expireAfterMs } = body.json;
        if (typeof stream !== "string") return refuse("json-invalid", "stream must be the name of a stream.");
        const own = objects.TALLIES.getByName(`${project}/${stream}`);
        if (typeof expireAfterMs === "number") await own.expire(expireAfterMs);
        return { ok: true, answer: answerJson({ count: await own.count() }) };
      },
    },
    {
      method: "GET",
      path: "/v1/tally",
      of: "nothing",
      needs: "nothing",
      touches: [],
      handle: async ({ settings }) => ({ ok: true, answer: answerJson({ max: settings.TALLY_MAX }) }),
    },
  ],
});
