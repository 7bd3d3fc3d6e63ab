/** Tells the operator when exporting fails, once until it works again: not with each batch. */

/** The part of an exporter that reports how an export ended. `code` 0 is success. */
interface Exporter<Items> {
  export(items: Items, done: (result: { readonly code: number; readonly error?: Error }) => void): void;
}

const SUCCESS = 0;

export class ExportStatus {
  readonly #endpoint: string;
  readonly #warn: (message: string) => void;
  #isFailing = false;

  constructor(endpoint: string, warn: (message: string) => void) {
    this.#endpoint = endpoint;
    this.#warn = warn;
  }

  /** Watches the exports of one exporter. Whoever uses it notices nothing. */
  watch<Items, E extends Exporter<Items>>(exporter: E & Exporter<Items>): E {
    const send = exporter.export.bind(exporter);
    exporter.export = (items, done) =>
      send(items, (result) => {
        this.#note(result);
        done(result);
      });
    return exporter;
  }

  /** The server ends, and its last spans and metrics could not be sent in time. */
  noteLost(): void {
    this.#fail(": there was no answer in time");
  }

  #note({ code, error }: { readonly code: number; readonly error?: Error }): void {
    if (code === SUCCESS) {
      this.#isFailing = false;
      return;
    }
    this.#fail(error === undefined ? "" : `: ${error.name} ${error.message}`.trimEnd());
  }

  #fail(why: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#warn(
      `Traces and metrics cannot be sent to ${originOf(this.#endpoint)}${why}. What cannot be sent is dropped, and requests ` +
        "are not affected. This is said again only after an export has succeeded.",
    );
  }
}

/** Without a password that a URL may hold. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "the endpoint";
}
