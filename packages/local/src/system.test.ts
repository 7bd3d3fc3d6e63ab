import { expect, it } from "vitest";

import { checkSystem, formatFewFilesWarning, openFilesMax, openObjectsMax } from "./system.ts";

it.each(["linux", "darwin"] as const)("the server supports %s", (platform) => {
  expect(() => checkSystem(platform)).not.toThrow();
});

it("on Windows, a server on workerd refuses to start and says what to do", () => {
  expect(() => checkSystem("win32")).toThrow(
    expect.objectContaining({ exitCode: 2, fix: expect.stringContaining("WSL") as string }) as Error,
  );
});

it("the hard limit of open files is read, and a low one causes a warning", () => {
  const limits = (soft: string, hard: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft}                 ${hard}               files     \n`;
  expect(openFilesMax(() => limits("1024", "4096"))).toBe(4096);
  expect(openFilesMax(() => limits("1024", "unlimited"))).toBeUndefined();
  expect(
    openFilesMax(() => {
      throw new Error("no /proc");
    }),
  ).toBeUndefined();
  expect(formatFewFilesWarning("workerd", 1024)).toContain("may open only 1024 files: a stream in use needs 3");
  expect(formatFewFilesWarning("node", 1024)).toContain("may open only 1024 files: a connection needs 1");
  expect(formatFewFilesWarning("node", 65_536) + formatFewFilesWarning("node", undefined)).toBe("");
});

it("the number of streams in use is limited by files and memory", () => {
  const GIB = 1024 ** 3;
  expect(openObjectsMax(1024, 64 * GIB)).toBe(238);
  expect(openObjectsMax(1_048_576, 2 * GIB)).toBe(4_096);
  expect(openObjectsMax(undefined, 2 * GIB)).toBe(4_096);
  expect(openObjectsMax(100, GIB)).toBe(16);
});
