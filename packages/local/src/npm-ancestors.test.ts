import { expect, it, vi } from "vitest";

import { upToOutermostPackageManager, whenAnyEnds } from "./npm-ancestors.ts";
import { commandOf } from "./process-record.ts";

function lineage(...commands: string[]) {
  return commands.map((command, index) => ({ pid: 1000 - index, command }));
}

it.each([
  [
    "npm start in a terminal",
    ["sh -c node main.ts", "pnpm run serve", "sh -c pnpm", "npm exec pnpm", "sh -c npx", "npm start", "-bash", "sshd"],
    6,
  ],
  [
    "npm run as a script of node",
    ["/bin/sh -c node main.ts", "/usr/bin/node /usr/lib/npm-cli.js start", "/bin/zsh"],
    2,
  ],
  [
    "npm start where Node.js is too old",
    ["node scripts/run.mjs main.ts", "sh -c node scripts/run.mjs main.ts", "npm start", "-bash"],
    3,
  ],
  ["a shell that may end before the server", ["sh -c node", "npm start", "bash -c npm start & sleep 5", "sshd"], 2],
  ["no package manager at all", ["bash -c node main.ts", "sshd"], 0],
  ["no parent", [], 0],
])("watches %s", (_, commands, count) => {
  const all = lineage(...commands);
  expect(upToOutermostPackageManager(all)).toEqual(all.slice(0, count));
});

it("calls back once when one of the processes has ended", () => {
  vi.useFakeTimers();
  const callback = vi.fn<() => void>();
  const here = { pid: process.pid, command: commandOf(process.pid) };
  whenAnyEnds([here], callback);
  vi.advanceTimersByTime(2_000);
  expect(callback).not.toHaveBeenCalled();
  whenAnyEnds([here, { pid: process.pid, command: "npm start" }], callback);
  vi.advanceTimersByTime(2_000);
  expect(callback).toHaveBeenCalledOnce();
  vi.useRealTimers();
});
