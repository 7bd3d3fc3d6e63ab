#!/usr/bin/env node
import { Interruption } from "./failure.ts";
import { run } from "./program.ts";

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    const interruption = new Interruption(signal);
    // A second signal exits at once.
    if (interrupted.signal.aborted) process.exit(interruption.exitCode);
    interrupted.abort(interruption);
  });
}
// The reader of stdout may stop early, for example `| head`.
process.stdout.on("error", () => process.exit(0));

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupted.signal,
});
