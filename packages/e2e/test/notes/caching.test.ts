/** Who may keep which answer, and for how long: section 10 of the specification, and what deletion and forks do to it. */
import { describe, expect, it } from "vitest";

import { append, create, get, header, nextOffset, TEXT, type Answer } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ READ_BYTES_MAX: 65_536, LONG_POLL_TIMEOUT_MS: 5_000 });

const BLOCK = "x".repeat(50_000);

const cacheControl = (answer: Answer): string => header(answer, "Cache-Control");

/** Several blocks: more than one response may have. */
async function newLongStream(headers: Record<string, string> = {}): Promise<{ url: string; first: string }> {
  const url = server.newUrl();
  const first = nextOffset(await create(url, { headers: { ...TEXT, ...headers }, body: BLOCK }));
  for (let count = 0; count < 3; count += 1) await append(url, BLOCK);
  return { url, first };
}

describe("the only read that may be kept for ever", () => {
  it("[CA13] is a cut read whose URL names the stream's incarnation", async () => {
    const { url, first } = await newLongStream();
    expect(cacheControl(await get(`${url}?offset=${first}`))).toContain("immutable");
    expect(cacheControl(await get(`${url}?offset=-1`))).not.toContain("immutable");
  });

  it("[CA13] is not a long-poll from -1, which names no incarnation", async () => {
    const { url } = await newLongStream();
    expect(cacheControl(await get(`${url}?offset=-1&live=long-poll`))).not.toContain("immutable");
  });

  it("[CA13] is not a cut read of a fork at its source's offset, which another fork may share", async () => {
    const { url: source, first } = await newLongStream();
    const { url } = await newLongStream({ "Stream-Forked-From": new URL(source).pathname });
    const answer = await get(`${url}?offset=${first}`);
    expect(nextOffset(answer)).not.toBe(nextOffset(await get(`${url}?offset=now`)));
    expect(cacheControl(answer)).not.toContain("immutable");
  });
});

it("[CA3] no cache keeps the answer to a long-poll at offset=now", async () => {
  const url = server.newUrl();
  await create(url);
  let isAnswered = false;
  const poll = get(`${url}?offset=now&live=long-poll`).finally(() => (isAnswered = true));
  // The reader may attach after an append, so appends go on until one reaches it.
  while (!isAnswered) await append(url, "x");
  const answer = await poll;
  expect([answer.status, cacheControl(answer), answer.headers.get("ETag")]).toEqual([200, "no-store", null]);
});

it("[SC6] a stream of HTML does not run in this origin", async () => {
  const url = server.newUrl();
  await create(url, { headers: { "Content-Type": "text/html" }, body: "<script>1</script>" });
  expect(header(await get(url), "Content-Security-Policy")).toContain("sandbox");
});
