/** Records what the server does for a request as spans: the request itself, and below it what it had to wait for. */

import { AsyncLocalStorage } from "node:async_hooks";

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import { notesOf } from "@durable-streams-cloudflare/http/requests/request-notes";
import type { Destination } from "@durable-streams-cloudflare/http/routing/edge-ports";
import { parseTraceparent, parseTracestate } from "@durable-streams-cloudflare/http/tracing/trace-context";
import type { Attributes, Context, Span, SpanContext, SpanOptions, Tracer } from "@opentelemetry/api";

import { observeBody } from "./observed-body.ts";
import type { OpenTelemetry } from "./packages.ts";
import { pathOf, requestAttributes } from "./request-attributes.ts";

type Api = OpenTelemetry["api"];

export class Tracing {
  readonly #api: Api;
  readonly #tracer: Tracer;
  /** The span that the current work is done for. */
  readonly #active = new AsyncLocalStorage<Span>();

  constructor(api: Api, tracer: Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  /**
   * Records a request, until the last byte of its answer. A live read is one span, however long it lasts. A request whose
   * trace is not recorded has ids all the same, for its log line.
   */
  async serve(request: HttpRequest, answer: () => Promise<Answer>): Promise<Answer> {
    const span = this.#tracer.startSpan(
      request.method,
      { kind: this.#api.SpanKind.SERVER, attributes: requestAttributes(request) },
      this.#callerOf(request),
    );
    const { traceId, spanId } = span.spanContext();
    notesOf(request).trace = { traceId, spanId };
    if (!span.isRecording()) return answer();
    try {
      const answered = await this.#active.run(span, answer);
      const { status } = answered;
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) this.#fail(span, String(status));
      return observeBody(answered, {
        run: (work) => this.#active.run(span, work),
        onEnd: (end) => {
          if (end !== "complete" && span.isRecording()) span.setAttribute("ds.response.end", end);
          span.end();
        },
      });
    } catch (error) {
      this.#fail(span, typeOf(error));
      span.end();
      throw error;
    }
  }

  /** Notes where the current request leads. */
  routed({ method, url }: Pick<HttpRequest, "method" | "url">, { route, project, stream }: Destination): void {
    const span = this.#active.getStore();
    if (span === undefined) return;
    if (route !== undefined) {
      span.updateName(`${method} ${route}`);
      span.setAttribute("http.route", route);
    }
    span.setAttribute("url.path", pathOf(url));
    if (project !== "") span.setAttribute("ds.project", project);
    if (stream !== undefined) span.setAttribute("ds.stream", stream);
  }

  /** Records work that a recorded request waits for. Work for nobody, such as an alarm's, is not recorded. */
  async child<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
    const span = this.startChild(name, attributes);
    if (span === undefined) return work();
    try {
      return await this.#active.run(span, work);
    } catch (error) {
      this.#fail(span, typeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** Starts a span below the current one; `undefined` if none is being recorded. */
  startChild(name: string, attributes: Attributes): Span | undefined {
    const parent = this.#active.getStore();
    if (parent?.isRecording() !== true) return undefined;
    return this.#tracer.startSpan(name, { attributes }, this.#below(parent));
  }

  /**
   * Records a request to somebody else's server.
   * @param isRoot whether it begins a trace, which then has a link to what it is done for, if anything.
   */
  async outbound<T extends { readonly status: number }>(
    method: string,
    { attributes, isRoot }: { readonly attributes: Attributes; readonly isRoot: boolean },
    send: (context: SpanContext) => Promise<T>,
  ): Promise<T> {
    const parent = this.#active.getStore();
    const options: SpanOptions = {
      kind: this.#api.SpanKind.CLIENT,
      attributes: { "http.request.method": method, ...attributes },
      ...(isRoot && parent !== undefined ? { links: [{ context: parent.spanContext() }] } : {}),
    };
    const below = isRoot || parent === undefined ? this.#api.ROOT_CONTEXT : this.#below(parent);
    const span = this.#tracer.startSpan(method, options, below);
    try {
      const answered = await send(span.spanContext());
      span.setAttribute("http.response.status_code", answered.status);
      if (answered.status >= 500) this.#fail(span, String(answered.status));
      return answered;
    } catch (error) {
      this.#fail(span, typeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  #below(span: Span): Context {
    return this.#api.trace.setSpan(this.#api.ROOT_CONTEXT, span);
  }

  #callerOf({ headers }: HttpRequest): Context {
    const caller = parseTraceparent(headers.get("traceparent"));
    const { ROOT_CONTEXT, TraceFlags, createTraceState, trace } = this.#api;
    if (caller === undefined) return ROOT_CONTEXT;
    const { traceId, spanId, isSampled } = caller;
    const state = parseTracestate(headers.get("tracestate"));
    return trace.setSpanContext(ROOT_CONTEXT, {
      traceId,
      spanId,
      isRemote: true,
      traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(state === undefined ? {} : { traceState: createTraceState(state) }),
    });
  }

  /** The message of an error may hold anything, so only its type is recorded. */
  #fail(span: Span, type: string): void {
    span.setAttribute("error.type", type);
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
  }
}

function typeOf(error: unknown): string {
  return error instanceof Error ? error.name : "_OTHER";
}
