import { parseExportLine, type ExportHeader } from "./export-format.ts";

/** Of an append; a message that is larger is an append of its own. */
const BATCH_BYTES = 512 * 1024;

export type ImportPart =
  | { readonly header: ExportHeader }
  /** What one append takes: the same ones for the same file, however often it is read. */
  | { readonly batch: readonly string[] }
  | { readonly isClosed: boolean };

/** A page of an export is as large as an answer of the server, which has a limit; so has what is kept of one here. */
const PAGE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Cuts the lines of an export into appends. Lines behind the last mark are what an interrupted export has not finished: they are
 * left out, for the next export may cut the same bytes in another way.
 * @throws CliError at a line that is none of an export.
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
    if (this.#bytes > PAGE_BYTES_MAX) throw new Error(`${PAGE_BYTES_MAX} bytes without a line that says the offset`);
  }
}
