import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it } from "vitest";

import { startBareWorkerd } from "./bare-workerd.ts";

it("bare workerd serves streams, and knows which of its objects have files", { timeout: 60_000 }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "bare-workerd-"));
  const target = await startBareWorkerd(dataDir);
  try {
    const url = `${target.url}/v1/stream/s`;
    const headers = { "Content-Type": "text/plain" };
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(url, { method: "PUT", headers })).status).toBe(201);
    expect((await fetch(url, { method: "POST", headers, body: "a" })).status).toBe(204);
    expect(await (await fetch(url)).text()).toBe("a");
  } finally {
    await target.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
