/** An example of a module: it counts how often somebody asks where a stream ends. docs/modules.md explains it. */
import { answerJson, answerNothing } from "@durable-streams-cloudflare/http/answers/answer";
import { defineModule } from "@durable-streams-cloudflare/http/routing/module";
import { refuse } from "@durable-streams-cloudflare/protocol";

import { TallyDO } from "./tally-do.ts";

export const tally = defineModule({
  name: "tally",
  objects: { TALLIES: TallyDO },
  config: ({ TALLY_MAX = "1000" }) => ({ max: Number(TALLY_MAX) }),
  routes: [
    {
      method: "GET",
      path: "/v1/tally/:project/streams/:stream{.+}",
      of: "stream",
      needs: "read",
      touches: ["STREAMS", "TALLIES"],
      handle: async ({ stream, objects, config }) => {
        const head = await stream.call((stub) => stub.head());
        if (!head.ok) return head;
        const count = await objects.TALLIES.getByName(stream.objectName).add();
        if (count > config.max) return refuse("rate-limited", `The stream has been asked about ${config.max} times.`);
        return { ok: true, answer: answerJson({ tail: head.tail, count }) };
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
      method: "POST",
      path: "/v1/tally/:project/check",
      of: "project",
      needs: "write",
      touches: ["TALLIES"],
      handle: async ({ project, objects, readJson }) => {
        const body = await readJson(1_024);
        if (!body.ok) return body;
        const { stream } = body.json;
        if (typeof stream !== "string") return refuse("json-invalid", "stream must be the name of a stream.");
        return {
          ok: true,
          answer: answerJson({ count: await objects.TALLIES.getByName(`${project}/${stream}`).count() }),
        };
      },
    },
    {
      method: "GET",
      path: "/v1/tally",
      of: "nothing",
      needs: "nothing",
      touches: [],
      handle: async ({ config }) => ({ ok: true, answer: answerJson({ max: config.max }) }),
    },
  ],
});
