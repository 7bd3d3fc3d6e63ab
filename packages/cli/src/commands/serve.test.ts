import { expect, it } from "vitest";

import { EXIT } from "../failure.ts";
import { runCaptured } from "../testing/captured-io.ts";
import { runServer } from "./serve.ts";

it("is in the help, and takes its flags after its name", async () => {
  expect((await runCaptured(["--help"])).stdout).toMatch(/^ {2}serve /m);
  const ran = await runCaptured(["--quiet", "serve", "--port", "0"]);
  expect(ran).toMatchObject({ exitCode: EXIT.usage, stderr: expect.stringContaining("durable-streams serve --help") });
});

it.each([{ node: "20.19.0" }, { node: "22.13.0", sqlite: "3.47.2" }, { node: "24.0.0", sqlite: "3.50.9" }])(
  "needs a newer Node.js than $node with SQLite $sqlite",
  async (versions) => {
    await expect(runServer([], versions)).rejects.toThrow(`needs Node.js 24 with SQLite 3.51`);
  },
);
