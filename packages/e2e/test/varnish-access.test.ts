/** A shared cache in front of a server with `AUTH_MODE=project`: what one may read, no other gets from the cache. */
import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { PATH_TRICKS } from "../src/path-tricks.ts";
import { sendRaw } from "../src/raw-http.ts";
import { append, create, get, nextOffset, send, TEXT } from "../src/requests.ts";
import { bearer, createProject, PROJECT_VARS, type TestProject } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";
import { startVarnish, VARNISHD, type VarnishCache } from "../src/varnish.ts";

const CONTENT = "the-content-of-a-private-stream";

const isInstalled = existsSync(VARNISHD);
if (!isInstalled) process.stderr.write(`\n!! ${VARNISHD} is not there: the cache tests are SKIPPED.\n\n`);

describe.skipIf(!isInstalled)("through Varnish", () => {
  const server = useServer({ ...PROJECT_VARS, LONG_POLL_TIMEOUT_MS: 500 });
  let cache: VarnishCache;
  let project: TestProject;
  let foreign: TestProject;

  beforeAll(async () => {
    cache = await startVarnish(server.url);
    project = await createProject(server.url, "project");
    foreign = await createProject(server.url, "foreign");
  });
  afterAll(async () => {
    await cache?.stop();
  });

  /** A stream with two messages: its name, its URL at the cache, and what each place in it is. */
  async function newStream() {
    const direct = server.newUrl();
    const offset = nextOffset(await create(direct, { headers: { ...TEXT, ...bearer(project) }, body: CONTENT }));
    await append(direct, CONTENT, bearer(project));
    const places = ["offset=-1", `offset=${offset}`, `offset=${offset}&live=long-poll`];
    return { name: direct.split("/").at(-1) ?? "", url: direct.replace(server.url, cache.url), places };
  }

  async function manage(method: string, path: string, body?: object): Promise<Record<string, string>> {
    const parts = { headers: bearer(project), ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const { text } = await send(method, `${server.url}/v1/projects/project/${path}`, parts);
    return text === "" ? {} : (JSON.parse(text) as Record<string, string>);
  }

  async function expectNothing(url: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const answer = await get(url, headers);
    expect([url, answer.status]).toEqual([url, 401]);
    expect(answer.text).not.toContain(CONTENT);
  }

  it("[SC2] what a token in the header has read is read by nobody else", async () => {
    const { url, places } = await newStream();
    for (const place of places) {
      await expectNothing(`${url}?${place}`);
      for (let count = 0; count < 2; count += 1) {
        expect((await get(`${url}?${place}`, bearer(project, "read"))).text).toContain(CONTENT);
      }
      await expectNothing(`${url}?${place}`);
      await expectNothing(`${url}?${place}`, bearer(foreign));
    }
  });

  it("a signed read URL is read with its token alone, and not at all once it was revoked", async () => {
    const { name, url, places } = await newStream();
    const { token } = await manage("POST", "read-urls", { stream: name });
    for (const place of places) {
      expect((await get(`${url}?${place}&token=${token}`)).text).toContain(CONTENT);
      await expectNothing(`${url}?${place}`);
      await expectNothing(`${url}?${place}&token=${token}x`);
    }
    await manage("DELETE", "read-urls");
    for (const place of places) await expectNothing(`${url}?${place}&token=${token}`);
  });

  it("no other spelling of a path that was read gives it to those who may not read it", async () => {
    const { name, url, places } = await newStream();
    const { key } = await manage("POST", "reader-keys", { stream: name });
    for (const place of places) {
      for (const [query, headers] of [
        [place, bearer(project)],
        [`${place}&key=${key}`, {}],
      ] as const) {
        expect((await get(`${url}?${query}`, headers)).text).toContain(CONTENT);
      }
    }
    for (const pattern of PATH_TRICKS) {
      for (const headers of [{}, bearer(foreign)]) {
        const separator = pattern.includes("?") ? "&" : "?";
        const path = `${pattern.replace("NAME", name)}${separator}${places[1]}`;
        const answer = await sendRaw({ method: "GET", server: cache.url, path, headers: { ...headers } });
        expect([path, answer.status >= 400, answer.text.includes(CONTENT)]).toEqual([path, true, false]);
      }
    }
    expect((await get(`${url}?${places[1]}`, bearer(project))).text).toContain(CONTENT);
  });

  it("[PJ8] [CA15] all readers with a reader key are one request at the origin, and those without it get nothing", async () => {
    const { name, url, places } = await newStream();
    const { key } = await manage("POST", "reader-keys", { stream: name });
    cache.takeRequests();
    const keyed = `${url}?${places[1]}&key=${key}`;
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(keyed)));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([CONTENT]));
    expect(cache.takeRequests()).toHaveLength(1);
    for (const place of places) {
      await expectNothing(`${url}?${place}`);
      await expectNothing(`${url}?${place}&key=${key}x`);
    }
    await manage("DELETE", `reader-keys?stream=${name}`);
    await expectNothing(`${url}?offset=-1&key=${key}`);
  });
});
