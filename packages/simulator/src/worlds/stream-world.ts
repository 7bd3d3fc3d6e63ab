import type { PageResult, PeerApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Statement } from "@durable-streams-cloudflare/core/kit/sql/statement";
import type { SqlValue } from "@durable-streams-cloudflare/core/kit/sql/value";
import { peerOf } from "@durable-streams-cloudflare/core/stream/forks/peer";
import { Stream, type StreamLimits } from "@durable-streams-cloudflare/core/stream/stream";
import { STREAM_SCHEMA } from "@durable-streams-cloudflare/core/stream/tables/schema";
import { readStreamRow, streamTable, type Origin } from "@durable-streams-cloudflare/core/stream/tables/stream-row";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { LIMITS } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { inheritedStretches, type Lineage, type Result } from "@durable-streams-cloudflare/protocol";
import { concatBytes } from "@durable-streams-cloudflare/testkit";
import { settled, type FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import { RESTART_MS, type Interruption } from "../model/commands.ts";
import { World, type Doer, type OwnPorts } from "./world.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Many streams in one process, and a record of what was ever written to them. */
export class StreamWorld extends World<Stream> {
  readonly #limits: StreamLimits;
  /** Every byte ever written, by stream and incarnation: what reads must return. */
  readonly #written = new Map<string, Map<number, Bytes>>();

  constructor({ segments, ...limits }: Partial<StreamLimits> & { readonly segments?: FakeSegmentStore } = {}) {
    super(segments);
    this.#limits = { ...LIMITS, ...limits };
  }

  stream(name: string): Stream {
    return this.core(name);
  }

  /** All that a stream has, put together from the objects that have it. Renews nothing. */
  content(name: string): Result<{ bytes: Bytes; lineage: Lineage }> {
    const result = this.stream(name).head();
    if (!result.ok) return result;
    const { lineage, tail } = result;
    const base = lineage.ancestors.at(-1)?.to ?? 0;
    const own = { name, incarnation: lineage.incarnation, from: base, to: tail };
    const chunks: Bytes[] = [];
    for (const { name: owner, ...range } of [...inheritedStretches(lineage, 0, base), own]) {
      for (let from = range.from; from < range.to; from += chunks.at(-1)?.length ?? 0) {
        const page = this.stream(owner).page({ ...range, from, paging: "bytes" });
        if (!page.ok) return page;
        const bytes = this.bytesOf(page);
        if (bytes.length === 0) throw new Error(`${owner} has a hole at ${from}.`);
        chunks.push(bytes);
      }
    }
    return { ok: true, bytes: concatBytes(chunks), lineage };
  }

  /** What a stream of this lineage must have, from the record of all that was ever written. */
  expectedContent(name: string, lineage: Lineage): Bytes {
    const base = lineage.ancestors.at(-1)?.to ?? 0;
    const own = { name, incarnation: lineage.incarnation, from: base, to: Infinity };
    return concatBytes(
      [...inheritedStretches(lineage, 0, base), own].flatMap(({ name: owner, incarnation, from, to }) => {
        const written = this.#written.get(`${owner} ${incarnation}`) ?? new Map<number, Bytes>();
        return [...written].map(([at, bytes]) => bytes.subarray(Math.max(0, from - at), Math.max(0, to - at)));
      }),
    );
  }

  /** The name of the stream that one was forked from. */
  sourceOf(name: string): string | undefined {
    const { database } = this.host(name);
    const [row] = rowsOf(database, streamTable);
    return row === undefined || row.origin === null ? undefined : (JSON.parse(row.origin) as Origin).source;
  }

  protected override schemaOf(): Schema {
    return STREAM_SCHEMA;
  }

  protected override boot(name: string, own: OwnPorts, doer: Doer): Stream {
    const database = this.#recording(name, own.database);
    return new Stream({ ...own, database, peer: (to) => this.#peer(doer, to) }, this.#limits);
  }

  #peer(from: Doer, to: string): PeerApi {
    return peerOf(() => ({
      page: (command) => this.call(from, to, "page", (peer) => peer.page(command)),
      pin: (command) => this.call(from, to, "pin", (peer) => peer.pin(command)),
      release: (forkId) => this.call(from, to, "release", (peer) => peer.release(forkId)),
    }));
  }

  /** Where the append begins that a page begins inside of, as `ColdPages.boundary`; `undefined` of a page that is not cold. */
  coldBoundary({ cold: [slice] }: PageResult): number | undefined {
    const block = slice && this.blocksOf(slice)[0];
    if (slice === undefined || block === undefined) return undefined;
    const end = block.ends.findLast((candidate) => block.at + candidate <= slice.from);
    if (end !== undefined) return block.at + end;
    return block.continued ? block.at - 1 : block.at;
  }

  /** Takes down what is written, beside writing it. */
  #recording(name: string, database: Database): Database {
    const record = ({ text }: Statement, params: readonly SqlValue[]): void => {
      if (!text.startsWith("INSERT INTO log")) return;
      const key = `${name} ${readStreamRow(database)?.incarnation}`;
      const [position, , , bytes] = params as [number, number, string | null, Bytes];
      const written = this.#written.get(key) ?? new Map<number, Bytes>();
      if (bytes.length > 0) this.#written.set(key, written.set(position, bytes.slice()));
    };
    return {
      all: (statement, ...params) => database.all(statement, ...params),
      run: (statement, ...params) => {
        database.run(statement, ...params);
        record(statement, params);
      },
      transaction: (work) => database.transaction(work),
      tables: database.tables,
    };
  }
}

/** Something goes wrong with one of two objects that take part in an operation, or between them. */
export async function befall(
  world: StreamWorld,
  mishap: Interruption["mishap"],
  names: { readonly it: string; readonly source: string | undefined },
): Promise<void> {
  if (mishap === "message lost") return world.release(0, "lost");
  if (mishap === "message late") return world.release(0, "late");
  if (mishap !== "its source crashes") world.crash(names.it);
  if (mishap !== "it crashes" && names.source !== undefined) world.crash(names.source);
  world.nowMs += RESTART_MS;
  await settled();
}
