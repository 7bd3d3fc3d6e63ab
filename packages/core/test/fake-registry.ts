import { refuse, type ProblemCode, type ProducerClaim, type Result } from "@durable-streams-cloudflare/protocol";

import type { RegistryStream } from "../src/project/registry-stream.ts";

/** A stream as far as its one producer knows it. */
export class FakeRegistry implements RegistryStream {
  #exists = false;
  #last = { epoch: -1, seq: -1 };
  readonly messages: string[] = [];
  /** Of the next calls: what fails, before or after it is done. */
  readonly faults: ("before" | "after" | "half")[] = [];
  calls = 0;
  /** Why it takes no append. */
  rejection: ProblemCode | undefined;

  async create(): Promise<Result<object>> {
    this.#exists = true;
    return { ok: true };
  }

  async appendAll(commands: Parameters<RegistryStream["appendAll"]>[0]): Promise<Result<object>[]> {
    this.calls += 1;
    if (!this.#exists) return commands.map(() => refuse("stream-not-found", "There is none."));
    const { rejection } = this;
    if (rejection !== undefined) return commands.map(() => refuse(rejection, "Not here."));
    const fault = this.faults.shift();
    if (fault === "before") throw new Error("The stream does not answer.");
    const taken = fault === "half" ? commands.slice(0, Math.ceil(commands.length / 2)) : commands;
    const results = taken.map(({ bytes, producer }) => this.#append(new TextDecoder().decode(bytes), producer));
    if (fault !== undefined) throw new Error("The answer was lost.");
    return results;
  }

  #append(text: string, { epoch, seq }: ProducerClaim): Result<object> {
    const isNewEpoch = epoch > this.#last.epoch;
    if (epoch === this.#last.epoch && seq <= this.#last.seq) return { ok: true };
    if (seq !== (isNewEpoch ? 0 : this.#last.seq + 1)) return refuse("producer-gap", "One is missing.");
    this.#last = { epoch, seq };
    this.messages.push(text);
    return { ok: true };
  }
}
