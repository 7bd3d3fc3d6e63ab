/** Tells the operator when exporting fails, once until it works again: not with each batch. */

/** The part of an exporter that reports how an export ended. `code` 0 is success. */
interface Exporter<Items> {
  export(items: Items, done: (result: { readonly code: number; readonly error?: Error }) => void): void;
}

const SUCCESS = 0;

/** What is exported: a collector may take one and not the other. */
export type Signal = "Traces" | "Metrics";

export class ExportStatus {
  readonly #endpoint: string;
  readonly #warn: (message: string) => void;
  readonly #failing = new Set<Signal>();

  constructor(endpoint: string, warn: (message: string) => void) {
    this.#endpoint = endpoint;
    this.#warn = warn;
  }

  /** Watches the exports of one exporter. Whoever uses it notices nothing. */
  watch<Items, E extends Exporter<Items>>(signal: Signal, exporter: E & Exporter<Items>): E {
    const send = exporter.export.bind(exporter);
    exporter.export = (items, done) =>
      send(items, (result) => {
        if (result.code === SUCCESS) this.#failing.delete(signal);
        else this.#fail(signal, result.error);
        done(result);
      });
    return exporter;
  }

  /** The server ends, and what it had left could not be sent in time. */
  noteLost(): void {
    if (this.#failing.size > 0) return;
    this.#warn(`${originOf(this.#endpoint)} did not answer in time, so the last traces and metrics were not sent.`);
  }

  #fail(signal: Signal, error: Error | undefined): void {
    if (this.#failing.has(signal)) return;
    this.#failing.add(signal);
    const why = error === undefined ? "" : `: ${error.name} ${error.message}`.trimEnd();
    this.#warn(
      `${signal} cannot be sent to ${originOf(this.#endpoint)}${why}. What cannot be sent is dropped, and requests are not ` +
        "affected. This is said again only after an export has succeeded.",
    );
  }
}

/** Without a password that a URL may hold. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "the endpoint";
}
