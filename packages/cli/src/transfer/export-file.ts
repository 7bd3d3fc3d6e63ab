import { createReadStream, existsSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

import { CliError } from "../failure.ts";
import { readLines } from "../lines.ts";
import { parseExportLine, type ExportHeader, type Mark } from "./export-format.ts";

export interface PartialExport {
  readonly header: ExportHeader;
  /** The last complete mark; `undefined` if there is none after the header. */
  readonly mark: Mark | undefined;
  /** The length of the part to keep. */
  readonly length: number;
}

/** Reads how far an interrupted or earlier export got in a file. */
export async function readPartialExport(path: string): Promise<PartialExport | undefined> {
  if (!existsSync(path)) return undefined;
  let [header, mark, length, position, number]: [ExportHeader | undefined, Mark | undefined, number, number, number] = [
    undefined,
    undefined,
    0,
    0,
    0,
  ];
  for await (const line of readLines(createReadStream(path))) {
    number += 1;
    position += Buffer.byteLength(line) + 1;
    const found = parseUnlessTorn(line, number);
    if (found === undefined) break;
    if ("data" in found) continue;
    if ("header" in found) ({ header } = found);
    else ({ mark } = found);
    length = position;
  }
  return header === undefined ? undefined : { header, mark, length };
}

/** The last line may be incomplete if the export was interrupted. */
function parseUnlessTorn(line: string, number: number): ReturnType<typeof parseExportLine> | undefined {
  try {
    return parseExportLine(line, number);
  } catch (error) {
    if (number > 1) return undefined;
    throw error;
  }
}

/** Opens the file to write after that length, and removes everything behind it. */
export async function openAt(path: string, length: number): Promise<FileHandle> {
  const file = await open(path, length === 0 ? "wx" : "r+", 0o600).catch((error: unknown) => {
    throw new CliError(`The file ${path} cannot be written.`, {
      code: "export-unwritable",
      why: error instanceof Error ? error.message : String(error),
      fix: "use another file: --output FILE",
    });
  });
  await file.truncate(length);
  return file;
}
