import { assertProperty, concatBytes } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore, type StoreFault } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";

import { coldLogOf, type ColdLog } from "../../test/cold-log.ts";
import { READS_AHEAD_MAX } from "./block-input.ts";
import { ColdPages, type ColdPage } from "./cold-pages.ts";
import { ROW_BYTES_MAX } from "./log-rows.ts";
import { BLOCK_BYTES } from "./segment-format.ts";
import { SegmentUnavailable } from "./segment-reader.ts";

type Paging = "bytes" | "appends";

async function readOf(log: ColdLog, from: number, to: number, paging: Paging): Promise<ColdPage[]> {
  const cold = new ColdPages(log.store, log.slices(from, to), paging);
  const pages: ColdPage[] = [];
  for (let page = await cold.next(); page !== undefined; page = await cold.next()) {
    // Of pages of bytes the memory may be used for the next one.
    pages.push({ ...page, bytes: paging === "bytes" ? page.bytes.slice() : page.bytes });
  }
  return pages;
}

async function pagesOf(log: ColdLog, from: number, to: number): Promise<Uint8Array[]> {
  return (await readOf(log, from, to, "bytes")).map(({ bytes }) => bytes);
}

/** Where pages say that an append ends. */
function endsOf(from: number, pages: readonly ColdPage[]): number[] {
  let at = from;
  return pages.flatMap(({ bytes, isEnd }) => ((at += bytes.length), isEnd ? [at] : []));
}

/** The largest boundary at or below a position, found as readers do: by asking until a place is one. */
async function boundaryBelow(log: ColdLog, position: number): Promise<number> {
  const cold = new ColdPages(log.store, log.slices(position, position + 1), "bytes");
  const boundary = await cold.boundary();
  return boundary === position ? position : boundaryBelow(log, boundary);
}

const KINDS = ["streams", "files"] as const;

const isSame = (pages: readonly Uint8Array[], bytes: Uint8Array): boolean =>
  Buffer.compare(concatBytes(pages), bytes) === 0;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("against a plain array of bytes", () => {
  const commit = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });
  const segments = fc.array(fc.array(commit, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 });

  it("[TI2] every range reads what lies there, and pages of appends end where appends do", async () => {
    const property = fc.asyncProperty(
      segments,
      fc.nat(),
      fc.nat(),
      fc.constantFrom(...KINDS),
      async (sizes, a, b, kind) => {
        const log = await coldLogOf(sizes, new FakeSegmentStore(kind));
        const tail = log.bytes.length;
        const [from, to] = [a % tail, (b % tail) + 1].toSorted((x, y) => x - y) as [number, number];
        if (from === to) return;
        expect(isSame(await pagesOf(log, from, to), log.bytes.subarray(from, to))).toBe(true);
        const pages = await readOf(log, from, to, "appends");
        expect(
          isSame(
            pages.map(({ bytes }) => bytes),
            log.bytes.subarray(from, to),
          ),
        ).toBe(true);
        const ends = endsOf(from, pages);
        expect(ends.at(-1)).toBe(to);
        expect(ends.slice(0, -1).every((end) => log.boundaries.includes(end))).toBe(true);
      },
    );
    await assertProperty("ranges of cold bytes", property, 60);
  });

  it("every position leads to the largest boundary at or below it", async () => {
    const property = fc.asyncProperty(segments, async (sizes) => {
      const log = await coldLogOf(sizes);
      for (let position = 0; position < log.bytes.length; position += 1) {
        const cold = new ColdPages(log.store, log.slices(position, position + 1), "bytes");
        const boundary = await cold.boundary();
        expect(boundary).toBeLessThanOrEqual(position);
        expect(boundary === position).toBe(log.boundaries.includes(position));
        expect(await boundaryBelow(log, position)).toBe(log.boundaries.findLast((end) => end <= position));
        expect((await cold.next())?.bytes).toEqual(log.bytes.subarray(position, position + 1));
      }
    });
    await assertProperty("boundaries of cold bytes", property, 10);
  });

  it("appends that span blocks come in parts, and no end is reported inside them", async () => {
    const large = 2 * ROW_BYTES_MAX + 3;
    const log = await coldLogOf([
      [[5, 6], [large], [ROW_BYTES_MAX], [7]],
      [[BLOCK_BYTES], [1], [BLOCK_BYTES + 1]],
    ]);
    log.store.chunkBytes = 100_000;
    for (const from of [0, 11, 11 + large]) {
      const pages = await readOf(log, from, log.bytes.length, "appends");
      expect(
        isSame(
          pages.map(({ bytes }) => bytes),
          log.bytes.subarray(from),
        ),
      ).toBe(true);
      expect(log.boundaries).toEqual(expect.arrayContaining(endsOf(from, pages)));
      expect(Math.max(...pages.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(ROW_BYTES_MAX);
    }
    for (const inside of [12, 11 + ROW_BYTES_MAX, 11 + 2 * ROW_BYTES_MAX]) {
      expect(await boundaryBelow(log, inside)).toBe(11);
    }
  });

  it("endless appends of one byte stay within the limit of a block", async () => {
    const log = await coldLogOf([Array.from({ length: 40 }, () => Array.from({ length: 512 }, () => 1))]);
    const pages = await pagesOf(log, 0, log.bytes.length);
    expect(pages.map(({ length }) => length)).toEqual([16_384, 4_096]);
    expect(isSame(pages, log.bytes)).toBe(true);
  });
});

describe.each(KINDS)("a read of %s", (kind) => {
  const SIZES = [Array.from({ length: 8 }, () => [100_000])];

  const newLog = (sizes: Parameters<typeof coldLogOf>[0] = SIZES): Promise<ColdLog> =>
    coldLogOf(sizes, new FakeSegmentStore(kind));

  it("that is abandoned releases its segment", async () => {
    // More than what is read of a file at once.
    const log = await newLog([Array.from({ length: 24 }, () => [100_000])]);
    const cold = new ColdPages(log.store, log.slices(0, 2_400_000), "bytes");
    await cold.next();
    expect(log.store.openBodies).toBe(1);
    cold.cancel();
    await vi.waitFor(() => expect(log.store.openBodies).toBe(0));
  });

  it.each<StoreFault>(["refused", "cut", "damaged", "missing"])(
    "[TI4] goes on where it was when a response is %s",
    async (fault) => {
      vi.spyOn(Math, "random").mockReturnValue(0);
      const log = await newLog();
      log.store.failNext("get", fault);
      log.store.failNext("get", fault);
      expect(isSame(await pagesOf(log, 50_000, 750_000), log.bytes.subarray(50_000, 750_000))).toBe(true);
      expect(log.store.calls.filter(({ operation }) => operation === "get")).toHaveLength(3);
    },
  );

  it.each<StoreFault>(["refused", "damaged", "missing"])(
    "[TI4] ends with an error when responses stay %s: never with other bytes, never with fewer",
    async (fault) => {
      vi.spyOn(Math, "random").mockReturnValue(0);
      const log = await newLog([[[10]]]);
      for (let tries = 0; tries < 4; tries += 1) log.store.failNext("get", fault);
      await expect(pagesOf(log, 0, 10)).rejects.toThrow(SegmentUnavailable);
      expect(log.store.calls.filter(({ operation }) => operation === "get")).toHaveLength(4);
    },
  );

  it("[TI4] does not wait for ever for a silent store", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const log = await newLog([[[10]]]);
    for (let tries = 0; tries < 4; tries += 1) log.store.failNext("get", "held");
    const reading = pagesOf(log, 0, 10).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await reading).toBeInstanceOf(SegmentUnavailable);
  });
});

it("a read of streams fetches no more than the blocks that it needs, in one request a segment", async () => {
  const log = await coldLogOf([Array.from({ length: 8 }, () => [100_000])]);
  const get = vi.spyOn(log.store, "get");
  await pagesOf(log, 250_000, 450_000);
  expect(get.mock.calls.map(([, , length]) => length)).toEqual([2 * (64 + 2 * 4 + 200_000)]);
});

it("pages of bytes are read from all files into two windows by turns, and pages of appends are not", async () => {
  const segment = Array.from({ length: 40 }, () => [100_000]);
  const log = await coldLogOf([segment, segment], new FakeSegmentStore("files"));
  const buffersOf = async (paging: Paging): Promise<number> => {
    const cold = new ColdPages(log.store, log.slices(0, log.bytes.length), paging);
    const buffers = new Set<ArrayBuffer>();
    for (let page = await cold.next(); page !== undefined; page = await cold.next()) buffers.add(page.bytes.buffer);
    return buffers.size;
  };
  expect([await buffersOf("bytes"), await buffersOf("appends")]).toEqual([2, 8]);
  expect(log.store.openBodies).toBe(0);
});

it("a page is there before it is asked for, for so many readers at a time: all others keep one window each", async () => {
  const log = await coldLogOf([Array.from({ length: 6 }, () => [ROW_BYTES_MAX])], new FakeSegmentStore("files"));
  log.store.chunkBytes = Infinity;
  const begin = async (): Promise<ColdPages> => {
    const cold = new ColdPages(log.store, log.slices(0, log.bytes.length), "bytes");
    await cold.next();
    return cold;
  };
  /** How many windows of it are in memory. */
  const windowsOf = async (cold: ColdPages): Promise<number> => {
    const buffers = new Set<ArrayBuffer | undefined>();
    for (let pages = 0; pages < 3; pages += 1) buffers.add((await cold.next())?.bytes.buffer);
    return buffers.size;
  };
  const ahead: ColdPages[] = [];
  for (let count = 0; count < READS_AHEAD_MAX; count += 1) ahead.push(await begin());
  const other = await begin();
  expect(await windowsOf(other)).toBe(1);
  expect(await Promise.all(ahead.map(windowsOf))).toEqual(ahead.map(() => 2));
  for (const cold of [...ahead, other]) cold.cancel();
  await vi.waitFor(() => expect(log.store.openBodies).toBe(0));
  // Those that have ended leave their place to others.
  const later = await begin();
  expect(await windowsOf(later)).toBe(2);
  later.cancel();
});

/** The store as files, whose next opened file has other reads. */
function spyOnOpen(log: ColdLog) {
  return vi.spyOn(log.store as { open: NonNullable<FakeSegmentStore["open"]> }, "open");
}

it.each([100_000, ROW_BYTES_MAX])("each byte of a file is read once where appends have %i bytes", async (size) => {
  const log = await coldLogOf([Array.from({ length: 5 }, () => [size])], new FakeSegmentStore("files"));
  log.store.chunkBytes = Infinity;
  const { open } = log.store;
  let bytesRead = 0;
  spyOnOpen(log).mockImplementation(async (key) => {
    const file = await open?.(key);
    if (file === undefined) return undefined;
    const read: typeof file.read = async (target, offset) => {
      const count = await file.read(target, offset);
      bytesRead += count;
      return count;
    };
    return { ...file, read };
  });
  const slices = log.slices(0, log.bytes.length);
  expect(isSame(await pagesOf(log, 0, log.bytes.length), log.bytes)).toBe(true);
  expect(bytesRead).toBe(slices.reduce((sum, { offset, end }) => sum + end - offset, 0));
});

it("[TI4] a read of a file that was given up may still end, and changes nothing of what was read since", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const log = await coldLogOf([[[100]], [[100]]], new FakeSegmentStore("files"));
  const { open } = log.store;
  let late: Uint8Array | undefined;
  const opened = spyOnOpen(log);
  opened.mockImplementationOnce(async (key) => open?.(key));
  opened.mockImplementationOnce(async (key) => {
    const file = await open?.(key);
    return file && { ...file, read: (target) => new Promise(() => (late = target)) };
  });
  const cold = new ColdPages(log.store, log.slices(0, 200), "bytes");
  expect((await cold.next())?.bytes).toEqual(log.bytes.subarray(0, 100));
  const reading = cold.next();
  await vi.advanceTimersByTimeAsync(60_000);
  const page = await reading;
  late?.fill(0xff);
  expect(late?.length).toBeGreaterThan(0);
  expect(page?.bytes).toEqual(log.bytes.subarray(100, 200));
});

it("[TI5] a segment that is put in another's place is refused", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  const log = await coldLogOf([[[10]], [[10]]]);
  const [first = "", second = ""] = [...log.store.objects.keys()];
  log.store.objects.set(second, log.store.objects.get(first) ?? new Uint8Array());
  await expect(pagesOf(log, 10, 20)).rejects.toThrow(SegmentUnavailable);
  expect(log.store).toBeInstanceOf(FakeSegmentStore);
});
