/** Counts the requests that this server has answered. */

import { Histogram } from "./histogram.ts";
import { single, type Labels, type Metric } from "./metric.ts";

/** Upper bounds of the histogram, in seconds; the last is above the longest long-poll. */
const BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** All other methods are counted together: otherwise clients could create any number of series. */
const METHODS: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);

const LIVE = /[?&]live=(sse|long-poll)(?:&|$)/;

/** Requests that are counted together. */
interface Series {
  readonly labels: Labels;
  /** How many requests were answered with each status. */
  readonly statuses: Map<number, number>;
  readonly durations: Histogram;
}

/** The part of a `Request` that is needed to count it. */
interface CountedRequest {
  readonly method: string;
  readonly url: string;
}

/** The request counters of one server. */
export class RequestCounts {
  readonly #now: () => number;
  /** By method, or by the value of `live` if there is one. No string is built per request: that would cost throughput. */
  readonly #series = new Map<string, Series>();
  #failed = 0;
  #inFlight = 0;

  /** @param now a clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a request when its response begins: how long the response takes from then on depends on the client. */
  async count<Answer extends { readonly status: number }>(
    request: CountedRequest,
    answer: () => Promise<Answer>,
  ): Promise<Answer> {
    const series = this.#seriesOf(request);
    const startedAtMs = this.#now();
    this.#inFlight += 1;
    try {
      const response = await answer();
      observe(series, response.status, (this.#now() - startedAtMs) / 1000);
      return response;
    } catch (error) {
      this.#failed += 1;
      throw error;
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** @param liveReads the current number of live reads. */
  metrics(liveReads: number): readonly Metric[] {
    const series = [...this.#series.values()].filter(({ statuses }) => statuses.size > 0);
    const answered = series.flatMap(({ labels, statuses }) =>
      [...statuses].map(([status, value]) => ({ labels: { ...labels, status: String(status) }, value })),
    );
    return [
      {
        type: "counter",
        name: "durable_streams_requests_total",
        help: "Number of requests that were answered.",
        points: answered,
      },
      single("counter", "durable_streams_requests_failed_total", "Number of unanswered requests.", this.#failed),
      single(
        "gauge",
        "durable_streams_requests_in_flight",
        "Number of requests whose response has not begun.",
        this.#inFlight,
      ),
      single("gauge", "durable_streams_live_reads", "Number of open SSE responses and waiting long-polls.", liveReads),
      {
        type: "histogram",
        name: "durable_streams_request_duration_seconds",
        help: "Time until the response began, in seconds.",
        points: series.map(({ labels, durations }) => durations.point(labels)),
      },
    ];
  }

  #seriesOf({ method, url }: CountedRequest): Series {
    const name = METHODS.has(method) ? method : "other";
    const key = name === "GET" && url.includes("live=") ? (LIVE.exec(url)?.[1] ?? name) : name;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const labels = { method: name, live: key === name ? "" : key };
    const series = { labels, statuses: new Map<number, number>(), durations: new Histogram(BOUNDS_SECONDS) };
    this.#series.set(key, series);
    return series;
  }
}

function observe(series: Series, status: number, seconds: number): void {
  series.statuses.set(status, (series.statuses.get(status) ?? 0) + 1);
  series.durations.observe(seconds);
}
