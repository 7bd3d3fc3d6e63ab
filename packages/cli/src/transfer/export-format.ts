/**
 * A stream in a file: NDJSON, so that it can be looked at, cut and compressed with everyday tools.
 *
 * - The first line is `{"export": …}`: what the stream is, and an id of this file.
 * - `{"data": …}` is a message of a JSON stream, its text as it was written; of any other stream the next bytes, as base64.
 * - `{"offset", "upToDate", "closed"}` says that all before that offset is in the lines above. An export goes on, and an
 *   import cuts its appends, at these lines.
 */

import { CliError } from "../failure.ts";

export interface ExportHeader {
  readonly version: 1;
  /** Of this file: what an import has appended is recognised by it. */
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
  /** The JSON behind `data`, as it stands there. */
  | { readonly data: string };

const DATA = '{"data":';

export function headerLine(header: ExportHeader): string {
  return `${JSON.stringify({ export: header })}\n`;
}

export function markLine({ offset, upToDate, closed }: Mark): string {
  return `${JSON.stringify({ offset, upToDate, closed })}\n`;
}

/** @param json a message, or bytes as a JSON string. */
export function dataLine(json: string): string {
  return `${DATA}${json}}\n`;
}

/** @throws CliError when the line is none of an export. */
export function parseExportLine(line: string, number: number): ExportLine {
  try {
    const json = JSON.parse(line) as Partial<Mark> & { readonly export?: ExportHeader };
    if (line.startsWith(DATA)) return { data: line.slice(DATA.length, -1) };
    if (json.export?.version === 1) return { header: json.export };
    if (typeof json.offset === "string") return { mark: json as Mark };
  } catch {
    // Told of below.
  }
  throw new CliError(`Line ${number} is not a line of an export.`, {
    code: "export-unreadable",
    why: line.slice(0, 80),
    fix: "export the stream again into a new file: durable-streams stream export STREAM --output FILE",
  });
}
