import { expect, it } from "vitest";

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
