import { DurableStreamTestServer } from "@durable-streams/server";
import { expect, it } from "vitest";

import { startLiveDriver } from "./driver.ts";

it.each(["sse", "long-poll"] as const)(
  "every reader over %s is measured for every message after the warm-up",
  async (mode) => {
    const server = new DurableStreamTestServer({ port: 0 });
    const driver = startLiveDriver();
    try {
      const url = `${await server.start()}/stream`;
      const { headers } = await fetch(url, { method: "PUT", headers: { "Content-Type": "application/json" } });
      const offset = headers.get("Stream-Next-Offset") ?? "";
      const times = { messagesPerSecond: 20, warmUpMs: 80, measureMs: 220 };
      const result = await driver.run({ url, headers: {}, offset, mode, readers: 3, ...times });
      expect(result.deliveries).toBe(3 * 4);
      expect(result.latencyMs.p50).toBeGreaterThan(0);
      await fetch(url, { method: "DELETE" });
      await expect(driver.run({ url, headers: {}, offset, mode, readers: 1, ...times })).rejects.toThrow("404");
    } finally {
      driver.stop();
      await server.stop();
    }
  },
);
