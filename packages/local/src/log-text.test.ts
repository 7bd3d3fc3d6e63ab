import { expect, it } from "vitest";

import { logText } from "./log-text.ts";

it.each([
  "NOSENTRY SQLite alarm overdue; alarmTime = 2026-11-30",
  "workerd/io/actor-sqlite.c++:123: warning: NOSENTRY SQLite alarm overdue",
  "workerd/io/worker.c++:7: NOSENTRY output lock broke during alarm execution",
])("a message for Cloudflare's operators is not shown: %s", (message) => {
  expect(logText(message)).toBe("");
});

it.each([
  "Received a connect event but we lack a handler. Did you remember to export a connect() function?",
  "Uncaught exception: workerd/api/global-scope.c++:308: failed: remote.jsg.Error: Handler does not export a connect() function.",
])("a message about a CONNECT request is not shown: %s", (message) => {
  expect(logText(message)).toBe("");
});

it.each(['{"message":"GET /v1/stream/NOSENTRY 500"}', "workerd/util/sqlite.c++:663: failed: SQLITE_FULL", "NOSENTRYx"])(
  "everything else is, as it came: %s",
  (message) => {
    expect(logText(message)).toBe(`${message}\n`);
  },
);
