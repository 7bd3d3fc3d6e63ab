/** Runs the official suite once against a server of its own, in a vitest of its own: its failures are data here. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { startServer } from "@durable-streams-cloudflare/testkit/server-process";

const CONFIG = fileURLToPath(new URL("../conformance/vitest.config.ts", import.meta.url));
const VITEST = fileURLToPath(new URL("./vitest.mjs", import.meta.resolve("vitest/package.json")));
/** The default of the setting of this name. */
const LONG_POLL_TIMEOUT_MS = 3_000;

export interface SuiteTest {
  /** With the names of its groups. */
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it failed. */
  readonly message: string;
}

export interface SuiteOptions {
  /** Further flags of the server. */
  readonly flags?: readonly string[];
  /** Further variables of the suite's own process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** @throws Error when the suite did not come to an end, with what it printed. */
export async function runConformanceSuite({ flags = [], env = {} }: SuiteOptions = {}): Promise<readonly SuiteTest[]> {
  const directory = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    // With the settings that `npm start` has by default.
    const server = await startServer({ dataDir: join(directory, "data"), flags });
    try {
      return await runSuiteAgainst(server.url, env);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The same against a server that runs already. @param serverUrl without a slash at its end, perhaps with a path. */
export async function runSuiteAgainst(serverUrl: string, env: NodeJS.ProcessEnv = {}): Promise<readonly SuiteTest[]> {
  const directory = await mkdtemp(join(tmpdir(), "conformance-report-"));
  try {
    return await runVitest(serverUrl, join(directory, "report.json"), env);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface VitestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

async function runVitest(
  serverUrl: string,
  reportPath: string,
  more: NodeJS.ProcessEnv,
): Promise<readonly SuiteTest[]> {
  const flags = ["run", "--config", CONFIG, "--reporter=json", `--outputFile=${reportPath}`];
  const child = spawn(process.execPath, [VITEST, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...envWithoutVitest(),
      ...more,
      CONFORMANCE_SERVER: serverUrl,
      CONFORMANCE_LONG_POLL_MS: `${LONG_POLL_TIMEOUT_MS}`,
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  await once(child, "close");
  const text = await readFile(reportPath, "utf8").catch(() => undefined);
  if (text === undefined) throw new Error(`the suite wrote no report:\n${output}`);
  const { testResults } = JSON.parse(text) as VitestReport;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  if (tests.length === 0)
    throw new Error(`the suite ran no test:\n${testResults.map(({ message }) => message).join()}`);
  return tests.map(({ fullName, status, failureMessages }) => ({
    name: fullName,
    status: status === "passed" || status === "failed" ? status : "skipped",
    message: failureMessages?.[0] ?? "",
  }));
}

/** This vitest's variables would make the child believe that it is one of its workers. */
function envWithoutVitest(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")));
}
