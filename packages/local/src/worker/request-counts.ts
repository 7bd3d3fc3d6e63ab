/** Counts the requests that this server has answered, and tells them to Prometheus. */

import { metric } from "../prometheus.ts";

/** Upper bounds of the histogram, in seconds; the last is above the longest long-poll. */
const BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** All others are counted together, or clients could make series without end. */
const METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);

interface Durations {
  /** How many took up to each bound, and longer than the one before; last, those above all bounds. */
  readonly counts: number[];
  sumSeconds: number;
}

/** Of a `Request`: what is counted apart. */
interface CountedRequest {
  readonly method: string;
  readonly url: string;
}

export class RequestCounts {
  readonly #now: () => number;
  readonly #answered = new Map<string, number>();
  readonly #durations = new Map<string, Durations>();
  #failed = 0;
  #inFlight = 0;

  /** @param now a clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a request when its response begins: how long it goes on then is a matter of its client. */
  async count<Answer extends { readonly status: number }>(
    request: CountedRequest,
    answer: () => Promise<Answer>,
  ): Promise<Answer> {
    const labels = labelsOf(request);
    const startedAtMs = this.#now();
    this.#inFlight += 1;
    try {
      const response = await answer();
      const outcome = `${labels},status="${response.status}"`;
      this.#answered.set(outcome, (this.#answered.get(outcome) ?? 0) + 1);
      this.#observe(labels, (this.#now() - startedAtMs) / 1000);
      return response;
    } catch (error) {
      this.#failed += 1;
      throw error;
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** @param liveReads how many there are now. */
  format(liveReads: number): string {
    const answered = [...this.#answered].map(([labels, count]) => `{${labels}} ${count}`);
    const durations = [...this.#durations].flatMap(([labels, each]) => histogram(labels, each));
    return [
      metric("durable_streams_requests_total", "counter", "Requests that were answered.", answered),
      metric("durable_streams_requests_failed_total", "counter", "Requests that got no answer.", [` ${this.#failed}`]),
      metric("durable_streams_requests_in_flight", "gauge", "Requests whose response has not begun.", [
        ` ${this.#inFlight}`,
      ]),
      metric("durable_streams_live_reads", "gauge", "Open event streams, and long-polls that wait.", [` ${liveReads}`]),
      metric("durable_streams_request_duration_seconds", "histogram", "Time until the response began.", durations),
    ].join("");
  }

  #observe(labels: string, seconds: number): void {
    const known = this.#durations.get(labels);
    const durations = known ?? { counts: Array.from({ length: BOUNDS_SECONDS.length + 1 }, () => 0), sumSeconds: 0 };
    if (known === undefined) this.#durations.set(labels, durations);
    const index = BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
    const bucket = index === -1 ? BOUNDS_SECONDS.length : index;
    durations.counts[bucket] = (durations.counts[bucket] ?? 0) + 1;
    durations.sumSeconds += seconds;
  }
}

function labelsOf({ method, url }: CountedRequest): string {
  const live = method === "GET" ? (/[?&]live=(sse|long-poll)(?:&|$)/.exec(url)?.[1] ?? "") : "";
  return `method="${METHODS.has(method) ? method : "other"}",live="${live}"`;
}

function histogram(labels: string, { counts, sumSeconds }: Durations): string[] {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    return `_bucket{${labels},le="${BOUNDS_SECONDS[index] ?? "+Inf"}"} ${total}`;
  });
  return [...buckets, `_sum{${labels}} ${sumSeconds}`, `_count{${labels}} ${total}`];
}
