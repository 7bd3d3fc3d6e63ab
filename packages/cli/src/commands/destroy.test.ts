/** Runs what setup created on this machine, and removes it. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { EXIT } from "../failure.ts";
import { errorOf, runCaptured, type Ran } from "../testing/captured-io.ts";
import { makeFakeAccount, type FakeAccount } from "../testing/fake-account.ts";

let account: FakeAccount;

beforeEach(async () => {
  account = await makeFakeAccount();
  onTestFinished(() => account.remove());
});

const cli = (...argv: string[]): Promise<Ran> => runCaptured([...argv, "--json"], { env: account.env });
const setup = (...flags: string[]): Promise<Ran> =>
  cli("setup", account.folder, "--yes", "--url", account.cloudflare.deployedUrl, ...flags);
const removedOf = ({ stdout }: Ran): string[] =>
  (JSON.parse(stdout) as { removed: { remove: string; wasThere: boolean }[] }).removed
    .filter(({ wasThere }) => wasThere)
    .map(({ remove }) => remove);

describe("destroy", () => {
  it("removes what setup created, and keeps the files", async () => {
    await setup();
    expect(removedOf(await cli("destroy", account.folder, "--yes"))).toEqual([
      "worker",
      "queue",
      "namespace",
      "bucket",
      "profile",
    ]);
    expect(existsSync(join(account.folder, "package.json"))).toBe(true);
    expect(errorOf(await cli("destroy", account.folder, "--yes")).code).toBe("usage");
  });

  it("keeps what existed before setup, and the bucket with --keep-bucket", async () => {
    const { buckets, namespaces } = account.cloudflare;
    namespaces.set("f".repeat(32), "durable-streams-registry");
    await setup();
    expect(removedOf(await cli("destroy", account.folder, "--yes", "--keep-bucket"))).toEqual([
      "worker",
      "queue",
      "profile",
    ]);
    expect([namespaces.size, buckets.size]).toEqual([1, 1]);
  });

  it.each([1, 2, 3, 4])("resumes after being interrupted at change %i", async (at) => {
    await setup();
    account.cloudflare.restartCount();
    account.cloudflare.cut = { at, when: "after" };
    expect((await cli("destroy", account.folder, "--yes")).exitCode).toBe(EXIT.unavailable);
    account.cloudflare.restartCount();
    expect((await cli("destroy", account.folder, "--yes")).exitCode).toBe(EXIT.ok);
    const { workers, queues, namespaces, buckets } = account.cloudflare;
    expect([workers.size, queues.size, namespaces.size, buckets.size]).toEqual([0, 0, 0, 0]);
  });

  it("explains why a bucket that is not empty was kept", async () => {
    await setup();
    account.cloudflare.fullBuckets.add("durable-streams-segments");
    expect(errorOf(await cli("destroy", account.folder, "--yes"))).toMatchObject({
      code: "cloudflare-refused",
      why: expect.stringContaining("not empty"),
    });
    account.cloudflare.fullBuckets.clear();
    expect(removedOf(await cli("destroy", account.folder, "--yes"))).toEqual(["bucket", "profile"]);
  });
});

describe("dev", () => {
  it("runs wrangler dev on loopback, without tokens", async () => {
    await setup("--tenancy", "single");
    expect((await cli("dev", account.folder, "--port", "5000")).exitCode).toBe(EXIT.ok);
    const written = readFileSync(join(account.folder, "workers/streams/dev-arguments.json"), "utf8");
    expect((JSON.parse(written) as string[]).join(" ")).toBe(
      "dev --ip 127.0.0.1 --port 5000 --var AUTH_MODE:none --var TENANCY:single",
    );
  });

  it("needs a folder that setup created, and a valid port", async () => {
    expect(errorOf(await cli("dev", account.home))).toMatchObject({ code: "usage", exitCode: EXIT.usage });
    await setup();
    expect(errorOf(await cli("dev", account.folder, "--port", "x"))).toMatchObject({ code: "usage" });
  });
});
