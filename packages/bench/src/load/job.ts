/** What the load process is asked to do, and what it found: plain data, sent from process to process. */

export interface LoadJob {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with every request. */
  readonly body: string;
  /** Each has one request under way at any time (a closed loop). */
  readonly connections: number;
  /** Answers in this time are not counted. */
  readonly warmUpMs: number;
  /** How long is measured; every connection measures at least one request. */
  readonly measureMs: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly bodyBytes: number;
  readonly seconds: number;
  /** Of the measured requests, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}
