/** The object of one stream's tally, in the example of a module. */

import { firstRow } from "@durable-streams-cloudflare/core/kit/database";
import { integer, nullable, onlyRow } from "@durable-streams-cloudflare/core/kit/sql/column";
import { schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { table } from "@durable-streams-cloudflare/core/kit/sql/table";
import type { ValuesOf } from "@durable-streams-cloudflare/http/modules/module-settings";
import { defineObject, type ModuleObjectHost } from "@durable-streams-cloudflare/http/modules/object-class";
import type { Socket, SocketMessage } from "@durable-streams-cloudflare/http/modules/socket";
import type { Result } from "@durable-streams-cloudflare/protocol";

import { TALLY_PROBLEMS, type TALLY_SETTINGS } from "./tally-parts.ts";

/** `expires_at_ms`: when the tally is reset by itself. */
const tallyTable = table({
  kind: "module_tally",
  name: "tally",
  columns: { id: onlyRow(), count: integer(), expires_at_ms: nullable(integer()) },
  key: ["id"],
});

const READ = tallyTable.select(["count", "expires_at_ms"], { where: "id = 1" });
const WRITE = tallyTable.replace(["id", "count", "expires_at_ms"]);

/** What routes ask of a tally. */
export interface TallyApi {
  /** Counts one more, unless the tally is full. */
  add(): Promise<Result<{ readonly count: number }>>;
  count(): Promise<number>;
  reset(): Promise<void>;
  /** Resets the tally in so many milliseconds. */
  expire(afterMs: number): Promise<void>;
}

class Tally implements TallyApi {
  readonly #host: ModuleObjectHost<ValuesOf<typeof TALLY_SETTINGS>>;

  constructor(host: ModuleObjectHost<ValuesOf<typeof TALLY_SETTINGS>>) {
    this.#host = host;
    host.database.tables.upgrade();
  }

  async add(): Promise<Result<{ readonly count: number }>> {
    const { count, expiresAtMs } = this.#read();
    const max = this.#host.settings.TALLY_MAX;
    if (count >= max) {
      return TALLY_PROBLEMS.refuse("full", `The stream has been asked about ${max} times.`, { members: { max } });
    }
    this.#write(count + 1, expiresAtMs);
    this.#host.count("adds");
    for (const socket of this.#host.sockets()) socket.send(String(count + 1));
    return { ok: true, count: count + 1 };
  }

  async count(): Promise<number> {
    return this.#read().count;
  }

  async reset(): Promise<void> {
    await this.#host.purge();
  }

  async expire(afterMs: number): Promise<void> {
    const atMs = this.#host.now() + afterMs;
    this.#write(this.#read().count, atMs);
    this.#host.setAlarm(atMs);
  }

  async alarm(): Promise<void> {
    const { expiresAtMs } = this.#read();
    if (expiresAtMs !== null && expiresAtMs <= this.#host.now()) await this.reset();
  }

  opened(socket: Socket): void {
    socket.send(String(this.#read().count));
  }

  async message(socket: Socket, message: SocketMessage): Promise<void> {
    const { messages } = socket.attachment as { readonly messages: number };
    socket.attach({ messages: messages + 1 });
    if (message === "add") await this.add();
    else if (message === "bye") socket.close(4_000, `${messages + 1} messages`);
  }

  #read(): { readonly count: number; readonly expiresAtMs: number | null } {
    const { database } = this.#host;
    const row = database.tables.has(tallyTable) ? firstRow(database, READ) : undefined;
    return { count: row?.count ?? 0, expiresAtMs: row?.expires_at_ms ?? null };
  }

  #write(count: number, expiresAtMs: number | null): void {
    const { database } = this.#host;
    database.transaction(() => {
      database.tables.create(tallyTable);
      database.run(WRITE, 1, count, expiresAtMs);
    });
  }
}

/** The class of tallies. */
export const tallies = defineObject<TallyApi, ValuesOf<typeof TALLY_SETTINGS>>({
  schema: schema({ kind: "module_tally", together: [tallyTable] }),
  sockets: { max: 20, messageBytesMax: 1_024, heartbeat: { request: "ping", response: "pong" } },
  create: (host) => {
    const tally = new Tally(host);
    return {
      api: tally,
      alarm: () => tally.alarm(),
      sockets: {
        opened: (socket) => tally.opened(socket),
        message: (socket, message) => tally.message(socket, message),
      },
    };
  },
});
