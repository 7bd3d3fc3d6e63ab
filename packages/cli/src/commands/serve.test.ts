import { describe, expect, it } from "vitest";

import { EXIT } from "../failure.ts";
import { runCaptured } from "../testing/captured-io.ts";
import { runServer } from "./serve.ts";

it("is in the help, and takes its flags after its name", async () => {
  expect((await runCaptured(["--help"])).stdout).toMatch(/^ {2}serve /m);
  const ran = await runCaptured(["--quiet", "serve", "--port", "0"]);
  expect(ran).toMatchObject({ exitCode: EXIT.usage, stderr: expect.stringContaining("durable-streams serve --help") });
});

it.each(["20.19.0", "22.12.9"])("needs a newer Node.js than %s", async (version) => {
  await expect(runServer([], version)).rejects.toThrow("Node.js 22.13");
});

describe("a missing runtime", () => {
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error("broken"), { code }));

  it("is reported together with the command that installs it", async () => {
    const running = runServer([], "24.0.0", failing("ERR_MODULE_NOT_FOUND"));
    await expect(running).rejects.toMatchObject({ code: "serve-not-installed", fix: expect.stringContaining("npm ") });
  });

  it("is not reported for other failures", async () => {
    await expect(runServer([], "24.0.0", failing("ERR_OTHER"))).rejects.toThrow("broken");
  });
});
