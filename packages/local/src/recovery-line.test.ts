import { expect, it } from "vitest";

import { formatRecovery } from "./recovery-line.ts";

it("a server that was stopped cleanly leaves nothing to say", () => {
  expect(formatRecovery(undefined)).toBe("");
});

it("one line names pages, streams and unfinished uploads", () => {
  const said = "The last server was not stopped cleanly. Recovered what its disk had: ";
  expect(formatRecovery({ pages: 1, uploads: 0, streams: 12 })).toBe(
    `${said}1 page of the write-ahead log (4 KiB), 12 streams in all.\n`,
  );
  expect(formatRecovery({ pages: 512, uploads: 2, streams: 100_000 })).toBe(
    `${said}512 pages of the write-ahead log (2048 KiB), at least 100000 streams in all; 2 unfinished uploads removed.\n`,
  );
});
