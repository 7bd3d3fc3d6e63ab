import { spawn } from "node:child_process";

import type { Command } from "commander";

import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import { isInteractive, type Io } from "../io.ts";

export function openCommand(program: Command, io: Io): void {
  const command = program
    .command("open [stream]")
    .description("open the server or a stream in a browser, and print its URL")
    .option("--print", "only print the URL")
    .action(async (stream: string | undefined, options: { print?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      const url = stream === undefined ? to.connection.url : `${to.streamUrl(stream)}?offset=-1`;
      await output.result({ url }, url);
      if (options.print || output.json || !isInteractive(io)) return;
      browse(url, () => output.note("No browser could be started. Open the URL yourself."));
    });
  examples(command, "durable-streams open", "durable-streams open chat --print");
}

/** The browser keeps running when this program ends. */
function browse(url: string, onFailure: () => void): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  const child = spawn(program, [url], { stdio: "ignore", detached: true });
  child.once("error", onFailure);
  child.unref();
}
