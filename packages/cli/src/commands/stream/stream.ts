/** `stream …`: the protocol's operations on one stream, and its copies in files. */

import type { Command } from "commander";

import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { addAppend } from "./append.ts";
import { addClose } from "./close.ts";
import { addCreate } from "./create.ts";
import { addDelete } from "./delete.ts";
import { addExport } from "./export.ts";
import { addFork } from "./fork.ts";
import { addHead } from "./head.ts";
import { addImport } from "./import.ts";
import { addList } from "./list.ts";
import { addRead } from "./read.ts";
import { addTail } from "./tail.ts";

const COMMANDS = [
  addCreate,
  addAppend,
  addRead,
  addTail,
  addHead,
  addList,
  addFork,
  addClose,
  addDelete,
  addExport,
  addImport,
];

export function streamCommand(program: Command, io: Io): void {
  const stream = program.command("stream").description("create, append to, read and follow streams");
  for (const add of COMMANDS) add(stream, io);
  examples(stream, "durable-streams stream create chat", "durable-streams stream append chat --data '{\"n\":1}'");
}
