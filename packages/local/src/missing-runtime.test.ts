import { expect, it } from "vitest";

import { missingRuntime } from "./missing-runtime.ts";

const failing = (code: string, message: string) => Object.assign(new Error(message), { code });

it.each([
  failing("ERR_MODULE_NOT_FOUND", "Cannot find package 'miniflare' imported from /x/runtime.js"),
  failing("MODULE_NOT_FOUND", "Cannot find module 'workerd'\nRequire stack:"),
])("says how to install what is missing: $message", (error) => {
  expect(missingRuntime(error)).toMatchObject({
    message: expect.stringContaining("workerd is not installed") as string,
  });
  expect(missingRuntime(error)?.fix).toContain("npm start -- --engine workerd");
});

it.each([
  failing("ERR_MODULE_NOT_FOUND", "Cannot find module '/x/dist/other.js' imported from /x/runtime.js"),
  failing("ERR_OTHER", "'miniflare' is broken"),
  new Error("'workerd' is broken"),
  "workerd",
])("leaves every other error alone: %s", (error) => {
  expect(missingRuntime(error)).toBeUndefined();
});
