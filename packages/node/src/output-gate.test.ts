/** Nobody sees what is not durable, through whichever door: the disk is held back, and the test looks from outside. */

import { expect, it } from "vitest";

import { STORAGE_MODES, TRAITS } from "./storage/modes/options.ts";
import { fence } from "./testing/fence.ts";
import { HeldServer } from "./testing/held-server.ts";
import { Live } from "./testing/live.ts";
import { randomOf } from "./testing/random.ts";

/** Every way to look at a stream; each answers whether it saw the text. */
function doors(server: HeldServer, stream: string, text: string): Record<string, Promise<boolean>> {
  const url = server.url(stream);
  const sees = async (answer: Promise<Response>): Promise<boolean> => (await (await answer).text()).includes(text);
  const fork = async (): Promise<boolean> => {
    const name = `fork-${Math.random()}`;
    await server.put(name, { "Stream-Forked-From": `/v1/stream/${stream}` });
    return (await server.text(name)).includes(text);
  };
  return {
    read: sees(fetch(url)),
    page: sees(fetch(`${url}?offset=-1`)),
    longPoll: sees(fetch(`${url}?offset=-1&live=long-poll`)),
    fork: fork(),
  };
}

async function offsetOf(server: HeldServer, stream: string): Promise<string | null> {
  return (await fetch(server.url(stream), { method: "HEAD" })).headers.get("Stream-Next-Offset");
}

it.each(STORAGE_MODES.filter((mode) => TRAITS[mode].isOnDisk))(
  "[IN8] %s: a stream that is not durable yet is found by nobody, and by everybody afterwards",
  async (mode) => {
    await using server = await HeldServer.start({ mode });
    server.hold();
    const answers: string[] = [];
    const note = (door: string, answer: Promise<Response>): Promise<unknown> =>
      answer.then(({ status }) => answers.push(`${door} ${status}`));
    const all = [note("PUT", server.put("new"))];
    await server.isHeld();
    all.push(
      note("HEAD", fetch(server.url("new"), { method: "HEAD" })),
      note("GET", fetch(server.url("new"))),
      note("PUT again", server.put("new")),
      note("fork", server.put("forked", { "Stream-Forked-From": "/v1/stream/new" })),
      note("append", server.post("new", "x")),
    );
    await fence(server);
    expect(answers).toEqual([]);
    server.release();
    await Promise.all(all);
    expect(answers.toSorted()).toEqual(["GET 200", "HEAD 200", "PUT 201", "PUT again 200", "append 204", "fork 201"]);
  },
);

it.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "[IN8] [IN5] of appends that are held back nothing is seen, and nothing is lost (seed %i)",
  async (seed) => {
    // In half of the runs the streams are in different databases.
    await using server = await HeldServer.start({ mode: seed % 2 === 0 ? "acid" : "file-durable" });
    const random = randomOf(seed);
    const streams = ["a", "b"];
    for (const stream of streams) await server.put(stream);
    const live = new Map<string, Live>();
    for (const stream of streams) live.set(stream, new Live(await fetch(`${server.url(stream)}?offset=-1&live=sse`)));
    const written = new Map(streams.map((stream) => [stream, ""]));
    for (let round = 0; round < 4; round += 1) {
      const before = new Map<string, string | null>();
      for (const stream of streams) before.set(stream, await offsetOf(server, stream));
      server.hold();
      const appends: Promise<Response>[] = [];
      const dirty = new Set<string>();
      for (let count = 1 + random(4); count > 0; count -= 1) {
        const stream = streams[random(2)] as string;
        const text = `<${round}.${count}>`;
        dirty.add(stream);
        written.set(stream, `${written.get(stream)}${text}`);
        appends.push(server.post(stream, text));
        // In order of their sending, so that their order is known.
        await server.isHeld();
        await fence(server);
      }
      const looking = [...dirty].map((stream) => ({ stream, doors: doors(server, stream, `<${round}.`) }));
      let answered = 0;
      for (const { doors: of } of looking) for (const door of Object.values(of)) void door.then(() => (answered += 1));
      const heads = [...dirty].map((stream) => offsetOf(server, stream));
      await fence(server);
      expect({ answered, live: [...live.values()].filter(({ seen }) => seen.includes(`<${round}.`)) }).toEqual({
        answered: 0,
        live: [],
      });
      // In some rounds what waits behind the held sync is lost with its COMMIT, and sent again by the server itself.
      if (random(2) === 0) server.refuseCommits(1);
      server.release();
      expect((await Promise.all(appends)).map(({ status }) => status)).toEqual(appends.map(() => 204));
      await Promise.all(heads);
      for (const { doors: of } of looking) await Promise.all(Object.values(of));
    }
    for (const stream of streams) {
      const text = await server.text(stream);
      expect(text.match(/<.*?>/g)?.toSorted()).toEqual(written.get(stream)?.match(/<.*?>/g)?.toSorted());
      const done = await server.post(stream, "", { "Stream-Closed": "true" });
      expect(done.status).toBe(204);
      await live.get(stream)?.ended;
      const sent = live.get(stream)?.seen.match(/<.*?>/g) ?? [];
      expect(sent.join("")).toBe(text);
    }
  },
);

it("[IN8] of what is lost for good nothing was seen, its writer learns that, and the stream goes on without a gap", async () => {
  await using server = await HeldServer.start();
  await server.put("s");
  const first = await server.post("s", "kept,");
  const live = new Live(await fetch(`${server.url("s")}?offset=-1&live=sse`));
  server.refuseCommits(100);
  const lost = await server.post("s", "lost,");
  expect([first.status, lost.status, lost.headers.get("Retry-After")]).toEqual([204, 503, "1"]);
  expect(await lost.json()).toMatchObject({ code: "unavailable" });
  server.refuseCommits(0);
  expect(await server.text("s")).toBe("kept,");
  expect((await server.post("s", "next", { "Stream-Closed": "true" })).status).toBe(204);
  await live.ended;
  expect([await server.text("s"), live.seen.includes("lost")]).toEqual(["kept,next", false]);
});
