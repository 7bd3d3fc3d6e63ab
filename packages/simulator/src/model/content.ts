import { textOf, utf8 } from "@durable-streams-cloudflare/testkit";

import type { Mode } from "./commands.ts";

/** The content types of the model's two modes. */
export const CONTENT_TYPES: Readonly<Record<Mode, string>> = {
  bytes: "application/octet-stream",
  json: "application/json",
};

/** A request's body: an array of the JSON texts, or the characters as bytes. */
export function bodyOf({ mode, records }: { mode: Mode; records: readonly string[] }): Uint8Array<ArrayBuffer> {
  if (mode === "json") return utf8(`[${records.join(",")}]`);
  return Uint8Array.from(records.join(""), (character) => character.charCodeAt(0));
}

/** A response's body as the model writes it. */
export function contentText(mode: Mode, body: Uint8Array): string {
  if (mode === "json") return textOf(body);
  return Array.from(body, (byte) => String.fromCharCode(byte)).join("");
}
