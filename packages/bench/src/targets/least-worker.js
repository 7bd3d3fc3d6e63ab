/**
 * The least that a Worker and its object can do for an append or a read, and still be durable: one call, one statement.
 * No offsets, no checks, no producers, no content types. What a lone append or read costs here is the runtime's own cost.
 */
import { DurableObject } from "cloudflare:workers";

export class LeastDO extends DurableObject {
  constructor(context, env) {
    super(context, env);
    context.storage.sql.exec("CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
  }

  /** The answer waits until the row is durable: the runtime holds it back. */
  append(bytes) {
    this.ctx.storage.sql.exec("INSERT INTO log (bytes) VALUES (?)", bytes);
  }

  read() {
    return [...this.ctx.storage.sql.exec("SELECT bytes FROM log ORDER BY position")].map(({ bytes }) => bytes);
  }
}

export default {
  async fetch(request, { LEAST }) {
    const { pathname } = new URL(request.url);
    if (pathname === "/readyz") return new Response(null);
    if (request.method === "PUT") return new Response(null, { status: 201 });
    const stub = LEAST.getByName(pathname);
    if (request.method === "GET") return new Response(new Blob(await stub.read()));
    await stub.append(await request.arrayBuffer());
    return new Response(null, { status: 204 });
  },
};
