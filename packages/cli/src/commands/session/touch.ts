import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { sessionPath } from "./paths.ts";

export function addTouch(session: Command, io: Io): void {
  const command = session
    .command("touch <session>")
    .description("renew a session's lifetime without reading it")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      const call = { headers: to.authorization("read") };
      const touched = await to.sendJson<{ expiresAt: string }>("POST", `${sessionPath(to, name)}/touch`, call);
      await output.result(touched, touched.expiresAt);
    });
  examples(command, "durable-streams session touch alice");
}
