import { expect, it } from "vitest";

import { checkSystem } from "./system.ts";

it.each(["linux", "darwin"] as const)("the server runs on %s", (platform) => {
  expect(() => checkSystem(platform)).not.toThrow();
});

it("on Windows it says at once that it does not run there, and what to do", () => {
  expect(() => checkSystem("win32")).toThrow(
    expect.objectContaining({ exitCode: 2, fix: expect.stringContaining("WSL") as string }) as Error,
  );
});
