import { usageError } from "./failure.ts";

/** Streams do not accept larger messages. */
const LINE_LENGTH_MAX = 32 * 1024 * 1024;

/** Splits a text that arrives in chunks into lines without their line endings. The last line needs no ending. */
export async function* readLines(chunks: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of chunks) {
    pending += typeof chunk === "string" ? chunk : decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    if (pending.length > LINE_LENGTH_MAX) throw tooLong();
    for (const line of lines) yield withoutReturn(line);
  }
  if (pending !== "") yield withoutReturn(pending);
}

function tooLong(): Error {
  return usageError(`A line has more than ${LINE_LENGTH_MAX} characters.`, "split it into shorter lines");
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
