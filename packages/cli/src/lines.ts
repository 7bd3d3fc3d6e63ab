/** No stream takes a message that is larger. */
const LINE_LENGTH_MAX = 32 * 1024 * 1024;

/** The lines of a text that comes in pieces, without their ends; the last one needs none. */
export async function* readLines(pieces: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const piece of pieces) {
    pending += typeof piece === "string" ? piece : decoder.decode(piece as Uint8Array, { stream: true });
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    if (pending.length > LINE_LENGTH_MAX) throw new Error(`a line has more than ${LINE_LENGTH_MAX} characters`);
    for (const line of lines) yield withoutReturn(line);
  }
  if (pending !== "") yield withoutReturn(pending);
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
