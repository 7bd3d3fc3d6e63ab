import { expect } from "vitest";

import type { HeldServer } from "./held-server.ts";

/**
 * Everything that was sent before it has had its turn: the server answers in order of arrival what needs no disk. A stream that
 * nobody has made has written nothing, unlike one whose alarm may be writing just now.
 */
export async function fence(server: HeldServer): Promise<void> {
  for (let pass = 0; pass < 3; pass += 1) expect((await fetch(server.url(`none-${Math.random()}`))).status).toBe(404);
}
