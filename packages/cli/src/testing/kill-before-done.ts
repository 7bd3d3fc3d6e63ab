/**
 * Preloaded into the tool: kills it, like a power cut, at the worst moment of a step of setup. The work of the step is
 * done, but that has not been recorded yet. `KILL_BEFORE_DONE` names the step.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

import { STATE_FILE, type State } from "../setup/state.ts";

const { readFileSync, renameSync } = fs;
const step = process.env["KILL_BEFORE_DONE"] ?? "";

fs.renameSync = (from, to) => {
  if (String(to).endsWith(STATE_FILE)) {
    const { done } = JSON.parse(readFileSync(from, "utf8")) as State;
    if (done.includes(step)) process.kill(process.pid, "SIGKILL");
  }
  renameSync(from, to);
};
syncBuiltinESMExports();
