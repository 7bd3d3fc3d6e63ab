import { join, resolve } from "node:path";

import type { Command } from "commander";

import { runOnTerminal } from "../cloudflare/run-command.ts";
import { wranglerLine } from "../cloudflare/wrangler.ts";
import { contextOf } from "../context.ts";
import { CliError, usageError } from "../failure.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { WORKER_FOLDER } from "../setup/scaffold.ts";
import { StateStore } from "../setup/state.ts";
import { checkNode } from "../setup/steps.ts";

const PORT = 4437;

export function devCommand(program: Command, io: Io): void {
  const command = program
    .command("dev [folder]")
    .description("run the Worker of a setup folder on this machine, without tokens, and reload it on changes")
    .option("--port <n>", "listen on this port", String(PORT))
    .action(async (folder: string | undefined, { port }: { port: string }, called: Command) => {
      const { output } = contextOf(called, io);
      const store = StateStore.read(resolve(io.cwd, folder ?? "."));
      if (store === undefined) {
        throw usageError(
          "This folder was not created by setup.",
          "create one with durable-streams setup, or run a server without Cloudflare: durable-streams serve",
        );
      }
      if (!/^\d{1,5}$/.test(port))
        throw usageError(`--port ${port} is not a valid port.`, `use a port such as --port ${PORT}`);
      checkNode(process.versions.node);
      const vars = ["--var", "AUTH_MODE:none", "--var", `TENANCY:${store.state.answers.tenancy}`];
      const args = ["dev", "--ip", "127.0.0.1", "--port", port, ...vars];
      const project = store.state.answers.tenancy === "path" ? " --project demo" : "";
      output.note(`Try it: durable-streams --url http://localhost:${port}${project} stream create hello`);
      const code = await runOnTerminal(io, wranglerLine(join(store.folder, WORKER_FOLDER), args));
      io.signal.throwIfAborted();
      if (code !== 0) {
        throw new CliError(`wrangler dev ended with exit code ${code}.`, {
          code: "command-failed",
          fix: "read its messages above; durable-streams doctor checks for the usual causes",
        });
      }
    });
  examples(command, "durable-streams dev", "durable-streams dev durable-streams --port 5000");
}
