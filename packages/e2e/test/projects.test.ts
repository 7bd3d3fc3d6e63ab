/** A server with `AUTH_MODE=project`, from outside: official clients with tokens, tricks with paths, hostile senders. */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { DurableStream, IdempotentProducer, stream, type LiveMode } from "@durable-streams/client";
import { beforeAll, describe, expect, it } from "vitest";

import { PATH_TRICKS } from "../src/path-tricks.ts";
import { sendRaw } from "../src/raw-http.ts";
import { append, codeOf, create, get, JSON_TYPE, send, TEXT } from "../src/requests.ts";
import { bearer, createProject, PROJECT_VARS, tokenOf, type TestProject } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";

const CONTENT = "the-content-of-a-private-stream";

const server = useServer({ ...PROJECT_VARS, LONG_POLL_TIMEOUT_MS: 500, LOG_LEVEL: "info" });
let project: TestProject;
let foreign: TestProject;
let streams = 0;

beforeAll(async () => {
  project = await createProject(server.url, "project");
  foreign = await createProject(server.url, "foreign");
});

const newUrl = (): string => `${server.url}/v1/stream/project/p${(streams += 1)}`;

/** The client may say that it has read all before it has handed on the last of it. */
async function expectSeen(seen: readonly number[], expected: readonly number[]): Promise<void> {
  await expect.poll(() => seen, { timeout: 5_000 }).toEqual(expected);
}

describe("the official client, with a token from a function", () => {
  const headers = { Authorization: async () => bearer(project, "read write").Authorization };

  it.each<LiveMode>([true, "sse", "long-poll"])(
    "creates, appends, follows, resumes, closes; live: %j",
    async (live) => {
      const handle = await DurableStream.create({ url: newUrl(), contentType: "application/json", headers });
      await handle.append(JSON.stringify({ n: 1 }));
      const first = await stream<{ n: number }>({ url: handle.url, headers, live: false });
      expect(await first.json()).toEqual([{ n: 1 }]);
      const seen: number[] = [];
      const response = await stream<{ n: number }>({ url: handle.url, headers, live, offset: first.offset });
      response.subscribeJson(({ items }) => void seen.push(...items.map(({ n }) => n)));
      const producer = new IdempotentProducer(handle, "producer", { autoClaim: true });
      for (const n of [2, 3, 4]) producer.append(JSON.stringify({ n }));
      await producer.flush();
      await handle.close();
      await response.closed;
      await expectSeen(seen, [2, 3, 4]);
    },
  );

  it.each<LiveMode>(["sse", "long-poll"])(
    "[OF15] goes on reading live when its token is refreshed in mid-stream, and loses nothing; live: %j",
    async (live) => {
      let tokens = 0;
      const short = {
        Authorization: async () => {
          tokens += 1;
          return bearer(project, "read", 1).Authorization;
        },
      };
      const handle = await DurableStream.create({ url: newUrl(), contentType: "application/json", headers });
      const seen: number[] = [];
      const response = await stream<{ n: number }>({ url: handle.url, headers: short, live, offset: "-1" });
      response.subscribeJson(({ items }) => void seen.push(...items.map(({ n }) => n)));
      for (let n = 0; n < 15; n += 1) {
        await handle.append(JSON.stringify({ n }));
        await delay(200);
      }
      await handle.close();
      await response.closed;
      await expectSeen(
        seen,
        Array.from({ length: 15 }, (_, n) => n),
      );
      expect(tokens).toBeGreaterThan(2);
    },
  );

  it.each<LiveMode>([true, "sse", "long-poll"])("reads by a signed URL and no headers; live: %j", async (live) => {
    const handle = await DurableStream.create({ url: newUrl(), contentType: "application/json", headers });
    const body = JSON.stringify({ stream: handle.url.split("/").at(-1) });
    const signed = await send("POST", `${server.url}/v1/projects/project/read-urls`, {
      headers: bearer(project),
      body,
    });
    const { token } = JSON.parse(signed.text) as { token: string };
    const seen: number[] = [];
    const response = await stream<{ n: number }>({ url: `${handle.url}?token=${token}`, live, offset: "-1" });
    response.subscribeJson(({ items }) => void seen.push(...items.map(({ n }) => n)));
    for (const n of [1, 2]) await handle.append(JSON.stringify({ n }));
    await handle.close();
    await response.closed;
    await expectSeen(seen, [1, 2]);
  });

  it.each<LiveMode>(["sse", "long-poll"])(
    "comes to an end when its project is removed, and does not loop; live: %j",
    async (live) => {
      const name = `doomed-${String(live)}`;
      const doomed = await createProject(server.url, name);
      const url = `${server.url}/v1/stream/${name}/s`;
      await create(url, { headers: { ...JSON_TYPE, ...bearer(doomed) }, body: "[1]" });
      let requests = 0;
      const counting: typeof fetch = (input, init) => {
        requests += 1;
        return fetch(input, init);
      };
      const mine = { Authorization: async () => bearer(doomed, "read").Authorization };
      const response = await stream<number>({ url, headers: mine, live, offset: "-1", fetch: counting });
      const ended = response.closed.then(
        () => "closed",
        (error: unknown) => String(error),
      );
      const { promise: read, resolve } = Promise.withResolvers<void>();
      response.subscribeJson(({ items }) => {
        if (items.length > 0) resolve();
      });
      await read;
      expect((await send("DELETE", `${server.url}/v1/projects/${name}`, { headers: bearer(doomed) })).status).toBe(204);
      const before = requests;
      expect(await ended).toMatch(/401|404|Unauthorized|not found/i);
      expect(requests - before).toBeLessThan(10);
    },
  );

  it("whose producer may not write gets one refusal, and does not loop", async () => {
    const url = newUrl();
    await create(url, { headers: { ...JSON_TYPE, ...bearer(project) } });
    let requests = 0;
    const counting: typeof fetch = (input, init) => {
      requests += 1;
      return fetch(input, init);
    };
    const reader = { Authorization: async () => bearer(project, "read").Authorization };
    const errors: unknown[] = [];
    const handle = new DurableStream({ url, headers: reader, contentType: "application/json", fetch: counting });
    const producer = new IdempotentProducer(handle, "p", {
      autoClaim: true,
      fetch: counting,
      onError: (error) => void errors.push(error),
    });
    producer.append("1");
    await producer.flush().catch(() => undefined);
    expect(requests).toBe(1);
    expect(errors).toHaveLength(1);
  });
});

describe("a live read", () => {
  it("[PJ9] ends when its token does, and says so", async () => {
    const url = newUrl();
    await create(url, { headers: { ...TEXT, ...bearer(project) }, body: CONTENT });
    const answer = await get(`${url}?offset=-1&live=sse`, bearer(project, "read", 2));
    expect(answer.text).toContain(`data:${CONTENT}`);
    expect(answer.text).toMatch(/event: problem\ndata:\{.*"code":"token-expired".*\}\n\n$/);
    expect(codeOf(await get(url, bearer(project, "read", -1)))).toBe("token-expired");
  });
});

describe("a path", () => {
  let name = "";

  beforeAll(async () => {
    const url = newUrl();
    await create(url, { headers: { ...TEXT, ...bearer(project) }, body: CONTENT });
    name = url.split("/").at(-1) ?? "";
  });

  it.each(PATH_TRICKS)(
    "[SC3] [IN16] gives nothing away to a token of another project, or to none: %s",
    async (pattern) => {
      const path = pattern.replace("NAME", name);
      for (const headers of [{}, bearer(foreign), bearer(foreign, "read")]) {
        for (const method of ["GET", "POST", "PUT", "DELETE"]) {
          const sent = method === "GET" ? { ...headers } : { ...headers, ...TEXT, "Content-Length": "0" };
          const answer = await sendRaw({ method, server: server.url, path, headers: sent });
          expect([path, method, answer.status >= 400]).toEqual([path, method, true]);
          expect(answer.text).not.toContain(CONTENT);
          expect(answer.text).not.toContain(project.secret);
        }
      }
      expect((await get(`${server.url}/v1/stream/project/${name}`, bearer(project))).text).toBe(CONTENT);
    },
  );

  it("that is encoded twice names a stream of the project that it begins with", async () => {
    const path = `/v1/stream/foreign/%252e%252e/project/${name}`;
    const sendTo = (headers: Record<string, string>) => sendRaw({ method: "PUT", server: server.url, path, headers });
    expect((await sendTo({ ...TEXT, "Content-Length": "0" })).status).toBe(401);
    expect((await sendTo({ ...TEXT, ...bearer(project), "Content-Length": "0" })).status).toBe(401);
    expect((await sendTo({ ...TEXT, ...bearer(foreign), "Content-Length": "0" })).status).toBe(201);
  });

  it("[SC2] that was read with a good token answers no other, whatever conditions it sends", async () => {
    const url = `${server.url}/v1/stream/project/${name}`;
    const first = await get(`${url}?offset=-1`, bearer(project));
    const etag = first.headers.get("ETag") ?? "";
    for (const headers of [{}, bearer(foreign)]) {
      for (const condition of [etag, "*", `W/${etag}`]) {
        const answer = await get(`${url}?offset=-1`, {
          ...headers,
          "If-None-Match": condition,
          "Cache-Control": "only-if-cached",
        });
        expect(answer.status).toBe(401);
      }
    }
  });
});

it("[SC7] tokens are in no log", async () => {
  const url = newUrl();
  const token = tokenOf(project, "read");
  await get(`${url}?token=${token}&key=rk_secret`, { Authorization: `Bearer ${token}` });
  await expect.poll(() => server.log(), { timeout: 5_000 }).toContain(`GET ${new URL(url).pathname} 404`);
  expect(server.log()).not.toContain(token.slice(0, 40));
  expect(server.log()).not.toContain("rk_secret");
});

describe("while somebody else", () => {
  const RAW_HEADERS = "Host: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n";

  /** A sender that begins a request and never ends it. */
  function begin(text: string): Promise<{ end(): void }> {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => undefined);
    return new Promise((resolve) => {
      socket.once("connect", () => socket.write(text, () => resolve({ end: () => void socket.destroy() })));
    });
  }

  async function expectUse(url: string): Promise<void> {
    for (let round = 0; round < 5; round += 1) {
      expect((await append(url, "x", bearer(project))).status).toBe(204);
      expect((await get(url, bearer(project))).status).toBe(200);
    }
  }

  it.each([
    ["sends its body slowly, without a token", false],
    ["sends its body slowly, with a token", true],
  ])("%s, requests to the same stream go on", async (_what, hasToken) => {
    const url = newUrl();
    await create(url, { headers: { ...TEXT, ...bearer(project) } });
    const token = hasToken ? `Authorization: ${bearer(project).Authorization}\r\n` : "";
    const path = new URL(url).pathname;
    const senders = await Promise.all(
      Array.from({ length: 20 }, () => begin(`POST ${path} HTTP/1.1\r\n${RAW_HEADERS}${token}\r\n1\r\nx\r\n`)),
    );
    await expectUse(url);
    for (const sender of senders) sender.end();
  });

  it("sends 100 MB in chunks, requests to the same stream go on, and nothing of it is stored", async () => {
    const url = newUrl();
    await create(url, { headers: { ...TEXT, ...bearer(project) } });
    const block = Buffer.alloc(1024 * 1024, "y");
    const sent = sendRaw({
      method: "POST",
      server: server.url,
      path: new URL(url).pathname,
      headers: { ...TEXT, ...bearer(project) },
      chunks: Array.from({ length: 100 }, () => block),
    }).then(
      ({ status }) => status,
      () => 0,
    );
    await expectUse(url);
    // The server may hang up before everything was sent.
    expect([413, 0]).toContain(await sent);
    expect((await get(url, bearer(project))).text).toBe("xxxxx");
  });

  it("sends headers of 16 KB, requests to the same stream go on", async () => {
    const url = newUrl();
    await create(url, { headers: { ...TEXT, ...bearer(project) } });
    const padding = "p".repeat(16 * 1024);
    for (const headers of [{ "X-Padding": padding }, { Authorization: `Bearer ${padding}` }]) {
      const answer = await sendRaw({ method: "GET", server: server.url, path: new URL(url).pathname, headers });
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
    await expectUse(url);
  });
});

describe("a limit of a project holds without any setup:", () => {
  async function newLimited(name: string, limit: number): Promise<{ url: string; headers: { Authorization: string } }> {
    const limited = await createProject(server.url, `limited-${name}`, { limits: { [name]: limit } });
    const url = `${server.url}/v1/stream/limited-${name}/s`;
    await create(url, { headers: { ...TEXT, ...bearer(limited) } });
    return { url, headers: bearer(limited) };
  }

  it.each([
    ["requestsPerMinute", 2, 1, "rate-limited"],
    ["streamAppendBytesPerMinute", 10, 2, "rate-limited"],
    ["storedBytes", 15, 3, "project-storage-full"],
  ])(
    "[SC8] [PJ10] %s of %d takes %d appends of 5 bytes, and answers %s to the next",
    async (name, limit, taken, code) => {
      const { url, headers } = await newLimited(name, limit);
      for (let count = 0; count < taken; count += 1) expect((await append(url, "12345", headers)).status).toBe(204);
      const refused = await append(url, "12345", headers);
      expect(codeOf(refused)).toBe(code);
      expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
    },
  );

  it("[PJ10] liveReaders of 1 lets one wait", async () => {
    const { url, headers } = await newLimited("liveReaders", 1);
    const aborts = new AbortController();
    expect((await fetch(`${url}?offset=now&live=sse`, { headers, signal: aborts.signal })).status).toBe(200);
    expect(codeOf(await get(`${url}?offset=now&live=long-poll`, headers))).toBe("project-readers-full");
    aborts.abort();
  });
});

it("[DU1] a project, its keys and its streams are still there after a restart", async () => {
  const url = newUrl();
  await send("PUT", url, { headers: { ...TEXT, ...bearer(project) }, body: CONTENT });
  await server.restart();
  const path = new URL(url).pathname;
  expect((await get(`${server.url}${path}`, bearer(project))).text).toBe(CONTENT);
  expect((await get(`${server.url}${path}`, bearer(foreign))).status).toBe(401);
});
