/**
 * The format of a stream in a file: NDJSON, so that it can be viewed, split and compressed with everyday tools.
 *
 * - The first line is `{"export": …}`: a description of the stream, and an id of this file.
 * - `{"data": …}` is a message of a JSON stream, its text as it was written; for any other stream, the next bytes as base64.
 * - `{"offset", "upToDate", "closed"}` says that everything before that offset is in the lines above. An export resumes at such
 *   a line, and an import never puts data from both sides of one into the same append.
 */

import { CliError } from "../failure.ts";

export interface ExportHeader {
  readonly version: 1;
  /** The id of this file, by which the server recognises what an import has already appended. */
  readonly id: string;
  readonly url: string;
  readonly contentType: string;
  readonly ttlSeconds: number | null;
  readonly expiresAt: string | null;
  readonly retentionSeconds: number | null;
  readonly retentionBytes: number | null;
}

export interface Mark {
  readonly offset: string;
  readonly upToDate: boolean;
  readonly closed: boolean;
}

export type ExportLine =
  | { readonly header: ExportHeader }
  | { readonly mark: Mark }
  /** The JSON text of `data`, unchanged. */
  | { readonly data: string };

const DATA = '{"data":';

export function headerLine(header: ExportHeader): string {
  return `${JSON.stringify({ export: header })}\n`;
}

export function markLine({ offset, upToDate, closed }: Mark): string {
  return `${JSON.stringify({ offset, upToDate, closed })}\n`;
}

/** @param json a message, or base64 as a JSON string. */
export function dataLine(json: string): string {
  return `${DATA}${json}}\n`;
}

/** @throws CliError when the line does not belong to an export. */
export function parseExportLine(line: string, number: number): ExportLine {
  try {
    const json = JSON.parse(line) as Partial<Mark> & { readonly export?: ExportHeader };
    if (line.startsWith(DATA)) return { data: line.slice(DATA.length, -1) };
    if (json.export?.version === 1) return { header: json.export };
    if (typeof json.offset === "string") return { mark: json as Mark };
  } catch {
    // Reported below.
  }
  throw new CliError(`Line ${number} of the file is not in the format of an export.`, {
    code: "export-unreadable",
    why: line.slice(0, 80),
    fix: "export the stream again to a new file: durable-streams stream export STREAM --output FILE",
  });
}
