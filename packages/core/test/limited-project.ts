/** A project with limits and its streams, on Node.js: what they ask each other happens as it would between objects. */
import type { FakeSocket } from "@durable-streams-cloudflare/testkit/node-host";

import type { ProjectLimits } from "../src/contracts/project-record.ts";
import type { StreamReport } from "../src/contracts/project.ts";
import type { ReaderSlotsRequest, ReaderBudget } from "../src/contracts/reader-slots.ts";
import { ProjectOwner } from "../src/project/owner.ts";
import { PROJECT_SCHEMA } from "../src/project/tables/schema.ts";
import type { Stream } from "../src/stream/stream.ts";
import { NodeDatabase } from "./node-database.ts";
import { newHost, START_MS, streamOn, type Host } from "./stream-fixture.ts";

const NAME = "p";

export class LimitedProject {
  readonly #database = new NodeDatabase(PROJECT_SCHEMA);
  readonly #hosts = new Map<string, Host>();
  readonly #streams = new Map<string, Stream>();
  nowMs = START_MS;
  /** What streams have asked. */
  reports: StreamReport[] = [];
  /** How often they have asked for places. */
  questions = 0;
  /** Set it, and the project does not answer. */
  isDown = false;
  /** Called when a stream's report has arrived and its answer has not. */
  onReport: (report: StreamReport) => Promise<void> = async () => undefined;

  static async with(limits: ProjectLimits): Promise<LimitedProject> {
    const project = new LimitedProject();
    await project.owner().create({ name: NAME, settings: { limits }, secret: undefined });
    return project;
  }

  /** The project's object, as it comes back after an eviction. */
  owner(): ProjectOwner {
    const host = {
      now: () => this.nowMs,
      newKid: () => "kid",
      newSecret: () => "x".repeat(43),
      publish: async () => undefined,
      removeStream: async () => undefined,
      registryStream: () => {
        throw new Error("There is no registry here.");
      },
      subscription: () => {
        throw new Error("There is no subscription here.");
      },
      followers: () => {
        throw new Error("There are no followers here.");
      },
      setAlarm: () => undefined,
      clearAlarm: () => undefined,
      sync: async () => undefined,
      report: () => undefined,
    };
    return new ProjectOwner(this.#database, host, NAME);
  }

  stream(name: string): Stream {
    const known = this.#streams.get(name);
    return known ?? this.evict(name);
  }

  /** The stream's object comes back from disk. */
  evict(name: string): Stream {
    const stream = streamOn(this.host(name));
    this.#streams.set(name, stream);
    return stream;
  }

  host(name: string): Host {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    const note = async (report: StreamReport): Promise<number | null> => {
      this.reports.push(report);
      if (this.isDown) throw new Error("The project does not answer.");
      const answer = await this.owner().note(report);
      await this.onReport(report);
      return answer;
    };
    const requestReaderSlots = (request: Omit<ReaderSlotsRequest, "stream">): Promise<number | null> => {
      this.questions += 1;
      if (this.isDown) return Promise.reject(new Error("The project does not answer."));
      return this.owner().allowReaders({ stream: name, ...request });
    };
    const host = Object.assign(newHost(`${NAME}/${name}`), { directory: { note }, requestReaderSlots });
    Object.defineProperty(host, "nowMs", { get: () => this.nowMs });
    this.#hosts.set(name, host);
    return host;
  }

  /** A live reader comes: its socket, or why it may not stay. */
  async attach(name: string, budget: ReaderBudget = "tokens"): Promise<FakeSocket | string> {
    const stream = this.stream(name);
    return stream.readerSlots[budget].letIn(() => {
      const attached = stream.attach({ kind: "now" }, { budget, isLimited: true });
      return attached.ok ? this.host(name).attach(attached.position, budget === "public") : attached.problem.code;
    });
  }

  /** The bytes that a stream answers with. */
  async storedBy(name: string): Promise<number> {
    const head = this.stream(name).head();
    return head.ok ? head.tail - head.earliest : 0;
  }

  /** Lets a stream send its pending notices. */
  async fireAlarm(name: string): Promise<void> {
    this.nowMs += 1_000;
    await this.stream(name).alarm();
  }

  get bytes(): number {
    return this.owner().counters().bytes;
  }
}
