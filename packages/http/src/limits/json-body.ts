/** Reads the body of a route that is not a stream's: one JSON object. */

import { refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import { readBody, type BodyLimit } from "./body.ts";

/** A JSON object whose members have not been validated. */
export type Json = Readonly<Record<string, unknown>>;

/** Reads a JSON object from the body. An empty body counts as `{}`. */
export async function readJson(request: HttpRequest, limit: BodyLimit): Promise<Result<{ json: Json }>> {
  if (request.method === "GET") return { ok: true, json: {} };
  const body = await readBody(request, limit);
  if (!body.ok) return body;
  if (body.bytes.length === 0) return { ok: true, json: {} };
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body.bytes));
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return { ok: true, json: { ...json } };
  } catch {
    // Answered below, as is JSON that is no object.
  }
  return refuse("json-invalid", "The body must be a JSON object.");
}
