/** The token of a webhook's wake acknowledges it on a server with tokens, though the edge lets no other through. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { append, create, JSON_TYPE, send } from "../src/requests.ts";
import { bearer, createProject, PROJECT_VARS, type TestProject } from "../src/test-project.ts";

interface Webhook {
  readonly wake_id: string;
  readonly generation: number;
  readonly callback_url: string;
  readonly callback_token: string;
}

const PROJECT_SECRET = "project-secret-of-the-e2e-tests-012345";
const LOOPBACK = { WEBHOOK_LOOPBACK: "allow" };

let dataDir: string;
let receiver: Server;
let webhooks: AsyncIterator<Webhook>;
let server: ServerProcess | undefined;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "wakes-"));
  receiver = createServer((request, response) => {
    void json(request).then((body) => {
      response.writeHead(200).end("{}");
      receiver.emit("webhook", body);
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  webhooks = (async function* () {
    for (;;) yield ((await once(receiver, "webhook")) as [Webhook])[0];
  })();
});

afterEach(async () => {
  await server?.kill9();
  receiver.close();
  rmSync(dataDir, { recursive: true, force: true });
});

it.each<[string, Record<string, string>, root: string]>([
  ["a project of the registry", PROJECT_VARS, "/v1/stream/owned/"],
  ["the project of PROJECT_SECRET", { TENANCY: "single", AUTH_MODE: "project", PROJECT_SECRET }, "/v1/stream/"],
])("of %s", async (_what, vars, root) => {
  server = await startServer({ dataDir, vars: { ...vars, ...LOOPBACK } });
  const project: TestProject =
    vars["TENANCY"] === "path" ? await createProject(server.url, "owned") : { name: "default", secret: PROJECT_SECRET };
  const headers = { ...JSON_TYPE, ...bearer(project) };
  const url = `${server.url}${root}`;
  await create(`${url}events`, { headers });
  const { port } = receiver.address() as AddressInfo;
  const hook = { type: "webhook", streams: ["events"], webhook: { url: `http://127.0.0.1:${port}/hook` } };
  const made = await send("PUT", `${url}__ds/subscriptions/hook`, { headers, body: JSON.stringify(hook) });
  expect(made.status).toBe(201);
  const coming = webhooks.next();
  expect((await append(`${url}events`, "1", headers)).status).toBe(204);
  const webhook = (await coming).value as Webhook;

  const { wake_id, generation, callback_token: token } = webhook;
  const call = async (bearerToken: string, path = webhook.callback_url): Promise<number> => {
    const own = { ...JSON_TYPE, Authorization: `Bearer ${bearerToken}` };
    return (await send("POST", path, { headers: own, body: JSON.stringify({ wake_id, generation, done: true }) }))
      .status;
  };
  const untagged = token.split(".").slice(0, 3).join(".");
  expect(await call(untagged)).toBe(401);
  expect(await call(`${untagged}.${"A".repeat(43)}`)).toBe(401);
  expect(await call(token, webhook.callback_url.replace("/hook/", "/other/"))).toBe(401);
  expect(await call(token)).toBe(200);
});
