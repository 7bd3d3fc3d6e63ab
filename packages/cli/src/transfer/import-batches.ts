import { CliError } from "../failure.ts";
import { parseExportLine, type ExportHeader } from "./export-format.ts";

/** Size of an append. A larger message becomes an append of its own. */
const BATCH_BYTES = 512 * 1024;

export type ImportPart =
  | { readonly header: ExportHeader }
  /** The data of one append. The same file always results in the same batches. */
  | { readonly batch: readonly string[] }
  | { readonly isClosed: boolean };

/** The part between two marks is as large as a response of the server, which is limited. So is the part kept in memory. */
const PAGE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Groups the lines of an export into appends. Lines after the last mark belong to an interrupted export. They are left out,
 * because the next export may split the same bytes differently.
 * @throws CliError at a line that does not belong to an export.
 */
export async function* importParts(lines: AsyncIterable<string>): AsyncGenerator<ImportPart> {
  let [page, number, isClosed]: [PageBatches, number, boolean] = [new PageBatches(), 0, false];
  for await (const line of lines) {
    number += 1;
    const found = parseExportLine(line, number);
    if ("header" in found) yield found;
    else if ("data" in found) page.add(found.data);
    else {
      for (const batch of page.batches) yield { batch };
      page = new PageBatches();
      isClosed = found.mark.closed;
    }
  }
  yield { isClosed };
}

function tooMuchWithoutMark(): CliError {
  return new CliError(`The file has ${PAGE_BYTES_MAX} bytes of data without a line that contains an offset.`, {
    code: "export-unreadable",
    fix: "export the stream again to a new file: durable-streams stream export STREAM --output FILE",
  });
}

class PageBatches {
  readonly batches: string[][] = [];
  #batchBytes = 0;
  #bytes = 0;

  add(data: string): void {
    const current = this.batches.at(-1);
    if (current === undefined || this.#batchBytes + data.length > BATCH_BYTES) {
      this.batches.push([data]);
      this.#batchBytes = 0;
    } else {
      current.push(data);
    }
    this.#batchBytes += data.length;
    this.#bytes += data.length;
    if (this.#bytes > PAGE_BYTES_MAX) throw tooMuchWithoutMark();
  }
}
