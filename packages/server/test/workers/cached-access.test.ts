/** What one reader may read reaches no other through a cache, neither one that all share nor that of a shared browser. */
import { beforeAll, describe, expect, it } from "vitest";

import { KeepingCache } from "./keeping-cache.ts";
import { newProject, newProjectStream, newService, newToken, withToken, type TestProject } from "./projects.ts";

const CONTENT = "the-content-of-a-private-stream";
const service = newService();

/** How a reader says that it may read. */
interface Credential {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const KINDS = [
  "a token in the header",
  "a signed read URL",
  "a reader key",
  "no credential, of a public stream",
] as const;
type Kind = (typeof KINDS)[number];

let project: TestProject;
let open: TestProject;
let good: Readonly<Record<Kind, Credential & { readonly path: string }>>;
let bad: readonly Credential[];
/** The place behind the first of two messages, by the stream's path. */
const middles = new Map<string, string>();

const bearer = (token: string): Credential => ({ headers: { Authorization: `Bearer ${token}` } });

async function made(action: string, stream: string, owner = project): Promise<Record<string, string>> {
  const response = await service.fetch(
    `/v1/projects/${owner.name}/${action}`,
    withToken("POST", await newToken(owner), { stream }),
  );
  return response.json<Record<string, string>>();
}

async function newReadable(owner: TestProject): Promise<string> {
  const path = await newProjectStream(service, owner, CONTENT);
  const headers = { Authorization: `Bearer ${await newToken(owner)}`, "Content-Type": "text/plain" };
  const { headers: result } = await service.fetch(path, { method: "HEAD", headers });
  middles.set(path, result.get("Stream-Next-Offset") ?? "");
  for (const body of [CONTENT, CONTENT]) await service.fetch(path, { method: "POST", headers, body });
  return path;
}

beforeAll(async () => {
  project = await newProject(service);
  open = await newProject(service, { publicStreams: ["s-*"] });
  const [path, other, publicPath] = [await newReadable(project), await newReadable(project), await newReadable(open)];
  const [name = "", otherName = ""] = [path, other].map((each) => each.split("/").at(-1));
  const reads = { claims: { scope: "read", stream_id: name } };
  good = {
    "a token in the header": { path, ...bearer(await newToken(project, reads)) },
    "a signed read URL": { path, query: `token=${(await made("read-urls", name))["token"]}` },
    "a reader key": { path, query: `key=${(await made("reader-keys", name))["key"]}` },
    "no credential, of a public stream": { path: publicPath },
  };
  bad = [
    {},
    bearer(await newToken(open)),
    bearer(await newToken(project, { ...reads, expiresIn: -60 })),
    bearer(await newToken(project, { claims: { ...reads.claims, stream_id: otherName } })),
    { query: `token=${(await made("read-urls", otherName))["token"]}` },
    { query: `key=${(await made("reader-keys", otherName))["key"]}` },
    { query: "token=" },
    { query: "key=rk_" },
  ];
});

const PLACES: readonly ((path: string) => string)[] = [
  () => "",
  () => "offset=-1",
  (path) => `offset=${middles.get(path)}`,
  () => "offset=-1&live=long-poll",
  (path) => `offset=${middles.get(path)}&live=long-poll`,
];

/** The URL's query of one read. */
const queryOf = (place: string, { query = "" }: Credential): string =>
  [place, query]
    .filter((part) => part !== "")
    .reduce((query, part) => `${query}${query === "" ? "?" : "&"}${part}`, "");

const newCache = (path: string, keptBy: "all" | "one"): KeepingCache =>
  new KeepingCache((query, init) => service.fetch(path + query, init), keptBy);

describe.each(["all", "one"] as const)("through a cache that is kept by %s", (keptBy) => {
  it.each(KINDS)("[SC2] nobody without %s reads what was read with it", async (kind) => {
    const reader = good[kind];
    const isPublic = kind === "no credential, of a public stream";
    for (const [path, place] of PLACES.map((placeOf) => [reader.path, placeOf(reader.path)] as const)) {
      const cache = newCache(path, keptBy);
      const read = async (who: Credential): Promise<[number, boolean]> => {
        const response = await cache.get(queryOf(place, who), who.headers);
        return [response.status, (await response.text()).includes(CONTENT)];
      };
      // A refusal that was there before is nobody else's either.
      for (const who of isPublic ? [] : bad) expect((await read(who))[1]).toBe(false);
      for (let count = 0; count < 2; count += 1) expect([place, ...(await read(reader))]).toEqual([place, 200, true]);
      for (const who of isPublic ? [] : bad) {
        const [status, hasContent] = await read(who);
        expect([place, who, [401, 403].includes(status), hasContent]).toEqual([place, who, true, false]);
      }
      expect(await read(reader)).toEqual([200, true]);
    }
  });

  it("a stranger's token beside the credential of the URL is refused, whoever has read that URL before", async () => {
    const reader = good["a signed read URL"];
    for (const placeOf of PLACES) {
      const cache = newCache(reader.path, keptBy);
      const query = queryOf(placeOf(reader.path), reader);
      expect((await cache.get(query)).status).toBe(200);
      expect((await cache.get(query, bearer(await newToken(open)).headers)).status).toBe(401);
    }
  });
});

describe("a shared cache", () => {
  it("[SC2] answers nobody with what was revoked, where it has to ask", async () => {
    const owner = await newProject(service);
    const path = await newReadable(owner);
    const stream = path.split("/").at(-1) ?? "";
    const cache = newCache(path, "all");
    const queries = [
      queryOf("offset=-1", { query: `key=${(await made("reader-keys", stream, owner))["key"]}` }),
      queryOf(`offset=${middles.get(path)}`, { query: `token=${(await made("read-urls", stream, owner))["token"]}` }),
    ];
    for (const query of queries) expect((await cache.get(query)).status).toBe(200);
    const manager = await newToken(owner);
    const root = `/v1/projects/${owner.name}`;
    await service.fetch(`${root}/reader-keys?stream=${stream}`, withToken("DELETE", manager));
    await service.fetch(`${root}/read-urls`, withToken("DELETE", manager));
    for (const query of queries) expect((await cache.get(query)).status).toBe(401);
  });

  it("keeps nothing of a reader key for longer than minutes, and all of it without asking the origin", async () => {
    const { path, ...reader } = good["a reader key"];
    const cache = newCache(path, "all");
    const query = queryOf(`offset=${middles.get(path)}`, reader);
    for (let count = 0; count < 3; count += 1) {
      const response = await cache.get(query);
      expect(response.headers.get("Cache-Control")).toBe(
        "public, max-age=60, stale-while-revalidate=300, stale-if-error=0",
      );
    }
    expect(cache.hits).toBe(2);
  });

  it("[SC2] does not mix the answers to different origins", async () => {
    const origins = ["https://a.example", "https://b.example"];
    const owner = await newProject(service, { publicStreams: ["s-*"], corsOrigins: origins });
    const path = await newReadable(owner);
    const cache = newCache(path, "all");
    const query = `?offset=${middles.get(path)}`;
    for (const origin of [undefined, ...origins, "https://evil.example", ...origins, undefined]) {
      const { headers } = await cache.get(query, origin === undefined ? {} : { Origin: origin });
      const allowed = origin !== undefined && origins.includes(origin) ? origin : null;
      expect(headers.get("Access-Control-Allow-Origin")).toBe(allowed);
    }
  });
});

it("[CA2] every answer to a credential says private and Vary: Authorization, 304 included, unless all may read it", async () => {
  for (const kind of ["a token in the header", "a signed read URL"] as const) {
    const { path, ...reader } = good[kind];
    for (const placeOf of [...PLACES, () => "offset=-1&live=sse", () => "offset=now"]) {
      const query = queryOf(placeOf(path), reader);
      const first = await service.fetch(path + query, { headers: { ...reader.headers } });
      await first.body?.cancel();
      const condition = { "If-None-Match": first.headers.get("ETag") ?? '"none"' };
      const again = await service.fetch(path + query, { headers: { ...reader.headers, ...condition } });
      await again.body?.cancel();
      for (const { status, headers } of [first, again]) {
        expect([query, [200, 304].includes(status), headers.get("Vary")]).toEqual([query, true, "Authorization"]);
        expect(headers.get("Cache-Control")).toMatch(/private|no-store/);
      }
    }
  }
});
