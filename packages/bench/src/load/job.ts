/** The jobs and results of the load processes: plain data that is sent between processes. */

export interface LoadJob {
  /** Each connection uses one of these URLs; there are at least as many connections as URLs. */
  readonly urls: readonly string[];
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with every request. */
  readonly body: string;
  /** Each connection has at most one request in flight. */
  readonly connections: number;
  /** The pace of each connection (an open loop). Without it, a connection sends again after each answer (a closed loop). */
  readonly perSecond?: number;
  /** Requests that begin in this time are not counted. */
  readonly warmUpMs: number;
  /** How long to measure. Every connection measures at least one request. */
  readonly measureMs: number;
}

export interface LoadResult {
  readonly requests: number;
  /** With those of the warm-up. */
  readonly requestsInAll: number;
  readonly bodyBytes: number;
  readonly seconds: number;
  /** Latency of the measured requests in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}

export interface LiveJob {
  /** A JSON stream that nobody else writes to during the measurement. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The offset at the end of the stream. */
  readonly offset: string;
  readonly mode: "sse" | "long-poll";
  readonly readers: number;
  /** The pace of the writer, whether or not the server keeps up (an open loop). */
  readonly messagesPerSecond: number;
  /** How long the text in each message is; 60 by default. */
  readonly noteLength?: number;
  /** The processes of the server, if what they use is to be measured. */
  readonly pids?: readonly number[];
  /** Messages sent in this time are not counted. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** What the server used; `undefined` where the system does not tell. */
export interface ServerUse {
  /** How much its memory grew for each reader that was opened. */
  readonly kibPerReader: number | undefined;
  /** The processor time for each delivery, those of the warm-up included. */
  readonly usPerDelivery: number | undefined;
}

export interface LiveResult {
  readonly server: ServerUse;
  readonly deliveries: number;
  /** The time from when a message was due until a reader had it, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}
