/** All scenarios, in the order of the report. */
import { APPEND } from "./append.ts";
import { AUTH } from "./auth.ts";
import { BATCH } from "./batch.ts";
import { CATCH_UP } from "./catch-up.ts";
import { COLD } from "./cold.ts";
import { CPU } from "./cpu.ts";
import { FAN_OUT } from "./fan-out.ts";
import { HOSTILE } from "./hostile.ts";
import { LIVE } from "./live.ts";
import { MEMORY } from "./memory.ts";
import { MIXED } from "./mixed.ts";
import { READ } from "./read.ts";
import { READERS } from "./readers.ts";
import { ROLL } from "./roll.ts";
import type { Scenario } from "./scenario.ts";
import { START_UP } from "./start-up.ts";

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  append: APPEND,
  batch: BATCH,
  read: READ,
  "catch-up": CATCH_UP,
  live: LIVE,
  readers: READERS,
  mixed: MIXED,
  "start-up": START_UP,
  memory: MEMORY,
  roll: ROLL,
  "fan-out": FAN_OUT,
  auth: AUTH,
  hostile: HOSTILE,
  cold: COLD,
  cpu: CPU,
};
