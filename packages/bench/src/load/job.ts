/** What the load process is asked to do, and what it found: plain data, sent from process to process. */

export interface LoadJob {
  /** Each connection keeps to one of them; there are as many connections as these, or more. */
  readonly urls: readonly string[];
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with every request. */
  readonly body: string;
  /** Each has one request under way at most. */
  readonly connections: number;
  /** The pace of each connection (an open loop); otherwise it sends again as soon as it has its answer (a closed loop). */
  readonly perSecond?: number;
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

export interface LiveJob {
  /** The stream: of JSON, and not written by others meanwhile. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where it ends. */
  readonly offset: string;
  readonly mode: "sse" | "long-poll";
  readonly readers: number;
  /** The pace of the one writer, whether the server keeps up or not (an open loop). */
  readonly messagesPerSecond: number;
  /** Messages in this time are not counted. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface LiveResult {
  readonly deliveries: number;
  /** From the moment when a message was due until a reader had it, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}
