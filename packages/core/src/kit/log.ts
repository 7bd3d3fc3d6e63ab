/** Structured logs: one line of JSON each, with the field names of the Elastic Common Schema and OpenTelemetry. */

import type { Config } from "../config.ts";

export interface RequestLog {
  readonly method: string;
  /** Without the query, which may hold a token. */
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  readonly requestId: string;
  /** The position of the server's work on it in its trace. */
  readonly trace?: { readonly traceId: string; readonly spanId: string } | undefined;
  /** By what the request showed that it may do something: nothing, as far as that holds. */
  readonly shown?: string | undefined;
  /** The key that signed its token, and the user that it was made for. */
  readonly by?: { readonly kid: string | null; readonly user: string | null } | undefined;
  /** Why it was refused. */
  readonly problem?: { readonly code: string; readonly detail: string } | undefined;
  /** The route of an administrative change. */
  readonly change?: string | undefined;
  /** Of the stream's object. */
  readonly objectId?: string | undefined;
  readonly error?: unknown;
}

/** Whether a request is logged: all of them at `info`; at `error` those that the server failed, and changes by managers. */
export function isLogged(level: Config["logLevel"], status: number, isChange: boolean): boolean {
  return level === "info" || (level === "error" && (isServerFault(status) || isChange));
}

/** Logs a request. */
export function logRequest(entry: RequestLog): void {
  const isFault = isServerFault(entry.status);
  const line = JSON.stringify({
    "@timestamp": new Date().toISOString(),
    "log.level": isFault ? "error" : "info",
    "service.name": "durable-streams",
    message: `${entry.method} ${entry.path} ${entry.status}`,
    "http.request.method": entry.method,
    "url.path": entry.path,
    "http.response.status_code": entry.status,
    "http.request.id": entry.requestId,
    ...(entry.trace === undefined ? {} : { "trace.id": entry.trace.traceId, "span.id": entry.trace.spanId }),
    ...(entry.objectId === undefined ? {} : { "durable_object.id": entry.objectId }),
    ...callerFields(entry),
    ...(entry.problem === undefined ? {} : { code: entry.problem.code, reason: entry.problem.detail }),
    ...(entry.change === undefined ? {} : { "event.category": "iam", "event.action": entry.change }),
    "event.duration": Math.round(entry.durationMs * 1_000_000),
    ...errorFields(entry.error),
  });
  // oxlint-disable-next-line no-console -- this is where the runtime takes log lines from
  (isFault ? console.error : console.log)(line);
}

/** Logs a failure after the request was logged: in the middle of a response. */
export function logFault(level: Config["logLevel"], message: string, error: unknown): void {
  if (level === "off") return;
  // oxlint-disable-next-line no-console -- this is where the runtime takes log lines from
  console.error(JSON.stringify({ ...lineOf("error", message), ...errorFields(error) }));
}

/** Logs something that is probably a mistake of whoever has configured the server. */
export function logWarning(level: Config["logLevel"], message: string): void {
  if (level === "off") return;
  // oxlint-disable-next-line no-console -- this is where the runtime takes log lines from
  console.warn(JSON.stringify(lineOf("warn", message)));
}

function lineOf(level: "error" | "warn", message: string): object {
  return {
    "@timestamp": new Date().toISOString(),
    "log.level": level,
    "service.name": "durable-streams",
    message,
  };
}

function callerFields({ shown, by }: RequestLog): object {
  const kid = by?.kid ?? null;
  const user = by?.user ?? null;
  return { who: shown ?? "nobody", ...(kid === null ? {} : { kid }), ...(user === null ? {} : { user }) };
}

/** 501 is an honest answer, not a fault. */
function isServerFault(status: number): boolean {
  return status >= 500 && status !== 501;
}

function errorFields(error: unknown): Record<string, string> {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { "error.message": "The thrown value is not an Error." };
  return { "error.type": error.name, "error.message": error.message, "error.stack_trace": error.stack ?? "" };
}
