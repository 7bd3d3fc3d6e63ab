/** What a module's object tells anybody is durable, whoever is told, and in whatever way. */

import type { ClientSocket } from "@durable-streams-cloudflare/http/test/modules/module-suite";
import { tally } from "@durable-streams-cloudflare/http/test/modules/tally";
import { expect, it } from "vitest";

import { openSocket } from "../testing/client-socket.ts";
import { fence } from "../testing/fence.ts";
import { HeldServer } from "../testing/held-server.ts";
import { randomOf } from "../testing/random.ts";

const STREAMS = ["a", "b"] as const;
type Stream = (typeof STREAMS)[number];

/** The tallies of a server, and somebody who watches each of them. */
class Tallies {
  readonly #held: HeldServer;
  readonly #watchers = new Map<Stream, ClientSocket>();

  constructor(held: HeldServer) {
    this.#held = held;
  }

  /** Opens a new socket. @returns the count that it begins with. */
  async watch(stream: Stream): Promise<number> {
    const { socket } = await openSocket(`${this.#held.server.url}/v1/tally/watch/${stream}`, {
      "Sec-WebSocket-Protocol": "tally.v1",
    });
    if (socket === undefined) throw new Error("The socket was refused.");
    this.#watchers.set(stream, socket);
    return Number(await socket.next());
  }

  /** The next count that the watcher is told; `undefined` if its socket ends before. */
  told(stream: Stream): Promise<number | undefined> {
    const next = this.#watchers.get(stream)?.next() ?? Promise.reject(new Error("Nobody watches."));
    return next.then(Number, () => undefined);
  }

  /** @returns the count, if it is acknowledged. */
  async add(stream: Stream): Promise<number | undefined> {
    return this.#countIn(await fetch(`${this.#held.server.url}/v1/tally/streams/${stream}`));
  }

  async count(stream: Stream): Promise<number | undefined> {
    const body = JSON.stringify({ stream });
    return this.#countIn(await fetch(`${this.#held.server.url}/v1/tally/check`, { method: "POST", body }));
  }

  async #countIn(response: Response): Promise<number | undefined> {
    const { count } = (await response.json()) as { readonly count?: number };
    return response.ok ? count : undefined;
  }
}

it.each([1, 2, 3, 4])(
  "[IN8] [IN1] of what a module's object has not made durable nothing is seen, and nothing acknowledged is lost (seed %i)",
  async (seed) => {
    await using held = await HeldServer.start({ mode: seed % 2 === 0 ? "acid" : "file-durable", modules: [tally] });
    const random = randomOf(seed);
    const tallies = new Tallies(held);
    const known = new Map<Stream, number>();
    for (const stream of STREAMS) {
      await held.put(stream);
      known.set(stream, await tallies.watch(stream));
    }
    for (let round = 0; round < 4; round += 1) {
      held.hold();
      const adds: (readonly [Stream, Promise<number | undefined>])[] = [];
      for (let count = 1 + random(4); count > 0; count -= 1) {
        const stream = STREAMS[random(2)] as Stream;
        adds.push([stream, tallies.add(stream)]);
        await held.isHeld();
        await fence(held);
      }
      const dirty = [...new Set(adds.map(([stream]) => stream))];
      const looks = dirty.map((stream) => tallies.count(stream));
      const told = dirty.map((stream) => tallies.told(stream));
      let seen = 0;
      for (const door of [...adds.map(([, added]) => added), ...looks, ...told]) void door.then(() => (seen += 1));
      await fence(held);
      expect(seen).toBe(0);
      // What waits behind the held sync is then lost with its COMMIT.
      const isLost = random(2) === 0;
      if (isLost) held.refuseCommits(1);
      held.release();
      const acknowledged = await Promise.all(adds.map(async ([stream, added]) => ({ stream, count: await added })));
      await Promise.all(looks);
      held.refuseCommits(0);
      for (const [index, stream] of dirty.entries()) {
        const before = known.get(stream) ?? 0;
        const counts = acknowledged.flatMap((each) => (each.stream === stream ? (each.count ?? []) : []));
        const asked = adds.filter((each) => each[0] === stream).length;
        expect(counts).toEqual(counts.map((_, nth) => before + 1 + nth));
        const first = await told[index];
        expect([undefined, before + 1]).toContain(first);
        expect(counts.length).toBeGreaterThanOrEqual(isLost ? 0 : asked);
        const stored = await tallies.watch(stream);
        known.set(stream, stored);
        expect(await tallies.count(stream)).toBe(stored);
        // Where writes were lost, one that was stored may have been answered as one of which that is not known.
        expect(stored).toBeGreaterThanOrEqual(before + counts.length);
        expect(stored).toBeLessThanOrEqual(before + asked);
      }
    }
  },
);
