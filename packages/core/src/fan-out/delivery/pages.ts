/** Reads the source page by page. Each page is fetched once for all links that need it. */

import { refuseColdUnavailable, type Result } from "@durable-streams-cloudflare/protocol";

import type { Authors } from "../../contracts/authors.ts";
import type { PullResult, SourceApi } from "../../contracts/fan-out.ts";
import { readColdAppends } from "../../log/cold-appends.ts";
import { SegmentUnavailable } from "../../log/segment-reader.ts";
import type { FollowerSetHost } from "../source/host.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Whole appends of the source, `[from, to)`; none at its tail. What lies before `begin` has fallen to retention. */
export interface Batch {
  readonly from: number;
  readonly begin: number;
  readonly to: number;
  readonly bytes: Bytes;
  /** Where appends end, relative to `begin`. */
  readonly ends: readonly number[];
  /** Who wrote each append, where the source records it. */
  readonly authors?: Authors | undefined;
  /** The incarnation that offsets in here have. */
  readonly owner: number;
  /** `to` is the source's end, for ever. */
  readonly isLast: boolean;
  /** The source had nothing behind `to` when this was fetched. */
  readonly isTail: boolean;
}

/** Where the source is, and what it has in R2. */
export interface PagesHost extends Pick<FollowerSetHost, "name" | "segments"> {
  stream(name: string): Pick<SourceApi, "pull">;
}

/** Pages held at once. Links that keep up share one; each that has fallen behind may need another. */
const PAGES_MAX = 4;
/** Bytes of one page from R2, unless one append has more. */
const COLD_PAGE_BYTES = 256 * 1024;

export class Pages {
  readonly #host: PagesHost;
  readonly #incarnation: number;
  /** By where they begin, oldest first. */
  readonly #pages = new Map<number, Promise<Result<Batch>>>();

  /** @param incarnation the source's. */
  constructor(host: PagesHost, incarnation: number) {
    this.#host = host;
    this.#incarnation = incarnation;
  }

  /**
   * The batch that begins at a position, where an append ended.
   * @param to where to end at the latest, such a place too; `null`: at the source's tail.
   * @returns a refusal when the source is gone, or its bytes cannot be had now. @throws when it cannot be reached.
   */
  async at(from: number, to: number | null): Promise<Result<Batch>> {
    const known = this.#pages.get(from);
    if (known !== undefined) return cut(await known, to);
    const page = this.#fetch(from, to);
    this.#pages.set(from, page);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > PAGES_MAX && oldest !== undefined) this.#pages.delete(oldest);
    return cut(await page, to);
  }

  async #fetch(from: number, to: number | null): Promise<Result<Batch>> {
    const incarnation = this.#incarnation;
    const result = await this.#host.stream(this.#host.name).pull({ incarnation, from, to });
    if (!result.ok) return result;
    const { stretch } = result;
    if (stretch === undefined) return this.#batchOf(from, incarnation, result, result);
    const end = Math.min(stretch.to, to ?? Infinity);
    const command = { incarnation: stretch.incarnation, from: stretch.from, to: end, forFork: true } as const;
    const inherited = await this.#host.stream(stretch.name).pull(command);
    return inherited.ok ? this.#batchOf(from, stretch.incarnation, inherited, result) : inherited;
  }

  async #batchOf(from: number, owner: number, result: PullResult, source: PullResult): Promise<Result<Batch>> {
    const { cold } = result;
    try {
      const { bytes, ends, authors } =
        cold.length === 0 ? result : await readColdAppends(this.#store(), cold, COLD_PAGE_BYTES);
      const { begin } = source;
      const to = bytes.length === 0 ? from : begin + bytes.length;
      const isTail = to === source.tail;
      return { ok: true, from, begin, to, bytes, ends, authors, owner, isLast: source.closed && isTail, isTail };
    } catch (error) {
      if (error instanceof SegmentUnavailable) return refuseColdUnavailable();
      throw error;
    }
  }

  #store() {
    const { segments } = this.#host;
    if (segments === undefined) throw new Error("The source has cold segments, but the binding SEGMENTS is missing.");
    return segments;
  }
}

function cut(page: Result<Batch>, to: number | null): Result<Batch> {
  if (!page.ok || to === null || page.to <= to) return page;
  const size = to - page.begin;
  const ends = page.ends.filter((end) => end <= size);
  return {
    ...page,
    to,
    ends,
    authors: page.authors?.slice(0, ends.length),
    bytes: page.bytes.slice(0, size),
    isLast: false,
    isTail: false,
  };
}
