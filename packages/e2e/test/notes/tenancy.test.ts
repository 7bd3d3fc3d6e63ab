/** With `TENANCY=path`, a path never leaves its project. */
import { expect, it } from "vitest";

import { sendRaw } from "../../src/raw-http.ts";
import { codeOf, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ TENANCY: "path" });

function put(path: string) {
  return sendRaw({ method: "PUT", server: server.url, path: `/v1/stream/${path}`, headers: TEXT });
}

it.each(["a/../b/secret", "a/%2e%2e/b/secret", "a%2F..%2Fb/secret", "a/./../b/secret", "a//b", "/b/secret"])(
  "[SC3] [IN16] %s reaches no other project",
  async (path) => {
    expect(codeOf(await put(path))).toBe("path-invalid");
  },
);

it("[IN16] the same name in two projects is two streams", async () => {
  expect([(await put("one/x")).status, (await put("two/x")).status]).toEqual([201, 201]);
});

it("[SC4] an encoded slash separates as a slash does, so no project's name contains one", async () => {
  expect([(await put("one%2Fy")).status, (await put("one/y")).status]).toEqual([201, 200]);
});

it("a path of a project alone names no stream, and the refusal says how to name one", async () => {
  const answer = await put("project");
  expect(codeOf(answer)).toBe("path-invalid");
  expect(answer.text).toContain("/v1/stream/<project>/<stream>");
});

it.each([
  ["__ds/x", "path-reserved"],
  ["project%2F__ds/x", "path-reserved"],
  ["project/__ds%2Fx", "path-reserved"],
  ["__ds/__ds/x", "path-reserved"],
  ["project/__ds", "route-not-found"],
  ["project/__ds/x", "route-not-found"],
  ["project/%5F%5Fds/x", "route-not-found"],
])("[SU1] no stream is created at %s: %s", async (path, code) => {
  expect(codeOf(await put(path))).toBe(code);
});
