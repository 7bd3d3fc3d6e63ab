import { refuse, type Result } from "@durable-streams-cloudflare/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { PageCommand, PageResult, PeerApi, PinCommand } from "../contracts/stream.ts";
import { peerOf } from "../stream/forks/peer.ts";
import { retryRpc } from "./retry-rpc.ts";

const waits: number[] = [];

beforeEach(() => {
  waits.length = 0;
  vi.stubGlobal("setTimeout", (callback: () => void, ms: number) => {
    waits.push(ms);
    queueMicrotask(callback);
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const unsent = (): Error => Object.assign(new Error("too many"), { unsent: true });

const lost = (): Error => Object.assign(new Error("reset"), { durableObjectReset: true, remote: true });

/** Answers in turn; an error is thrown. */
function script<Answer>(...answers: (Answer | Error)[]): { invoke: () => Promise<Answer>; calls: () => number } {
  let calls = 0;
  const invoke = async (): Promise<Answer> => {
    const answer = answers[calls];
    calls += 1;
    if (answer === undefined) throw new Error("One call too many.");
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { invoke, calls: () => calls };
}

describe("a call", () => {
  it("whose answer is lost is repeated, with growing pauses, and each repeat is reported", async () => {
    const { invoke, calls } = script<Result<object>>(lost(), lost(), { ok: true });
    const onLost = vi.fn<() => void>();
    expect(await retryRpc(invoke, { onLost })).toEqual({ ok: true });
    expect([calls(), onLost.mock.calls.length, waits.length]).toEqual([3, 2, 2]);
    expect(waits[0]).toBeLessThan(60);
    expect(waits[1]).toBeGreaterThanOrEqual(40);
  });

  it.each(["stream-closed", "overloaded"] as const)("that was refused as %s is not repeated", async (code) => {
    const { invoke, calls } = script<Result<object>>(refuse(code, "no"));
    expect(await retryRpc(invoke)).toMatchObject({ problem: { code } });
    expect([calls(), waits.length]).toEqual([1, 0]);
  });

  it("that was not sent, because too many objects are in use, is repeated, and had no effect", async () => {
    const later = script<Result<object>>(unsent(), { ok: true });
    expect(await retryRpc(later.invoke)).toEqual({ ok: true });
    const never = script<Result<object>>(unsent(), unsent(), unsent(), unsent(), unsent());
    expect(await retryRpc(never.invoke)).toMatchObject({ problem: { code: "overloaded" } });
    // A copy that was sent before may have done something.
    const after = script<Result<object>>(lost(), unsent(), unsent(), unsent(), unsent());
    expect(await retryRpc(after.invoke)).toMatchObject({ problem: { code: "unavailable" } });
  });

  it("that was lost says from then on that it is a repeat, and how old it is", async () => {
    const ages: (number | undefined)[] = [];
    const { invoke } = script<Result<object>>(unsent(), lost(), { ok: true });
    vi.spyOn(Date, "now").mockReturnValueOnce(5_000).mockReturnValue(5_700);
    await retryRpc((repeatedAfterMs) => {
      ages.push(repeatedAfterMs);
      return invoke();
    });
    expect(ages).toEqual([undefined, undefined, 700]);
    const { invoke: another } = script<Result<object>>({ ok: true });
    await retryRpc(
      (repeatedAfterMs) => {
        ages.push(repeatedAfterMs);
        return another();
      },
      { sentAtMs: 5_100 },
    );
    expect(ages.at(-1)).toBe(600);
    vi.mocked(Date.now).mockRestore();
  });

  it("is not repeated when it was sent too long ago, because its request id may be forgotten", async () => {
    const { invoke, calls } = script<Result<object>>(lost());
    vi.spyOn(Date, "now").mockReturnValueOnce(5_000).mockReturnValueOnce(5_000).mockReturnValue(15_001);
    expect(await retryRpc(invoke, { repeatedMsMax: 10_000 })).toMatchObject({ problem: { code: "unavailable" } });
    expect(calls()).toBe(1);
    vi.mocked(Date.now).mockRestore();
  });

  it("is said to have had no effects only if no attempt can have had any", async () => {
    const busy = refuse("overloaded", "busy");
    const code = async (...answers: (Result<object> | Error)[]): Promise<string> => {
      const answer = await retryRpc(script(...answers).invoke);
      return answer.ok ? "ok" : answer.problem.code;
    };
    expect(await code(busy)).toBe("overloaded");
    expect(await code(unsent(), busy)).toBe("overloaded");
    expect(await code(lost(), busy)).toBe("unavailable");
    expect(await code(unsent(), unsent(), unsent(), unsent(), lost())).toBe("unavailable");
    const sentBefore = await retryRpc(script(busy).invoke, { sentAtMs: Date.now() });
    expect(sentBefore).toMatchObject({ problem: { code: "unavailable" } });
  });

  it("that the runtime refuses as overload is not repeated, and may have had effects", async () => {
    const overload = Object.assign(new Error("too many"), { overloaded: true, retryable: true });
    const { invoke, calls } = script<Result<object>>(overload);
    expect(await retryRpc(invoke)).toMatchObject({ problem: { code: "unavailable" } });
    expect(calls()).toBe(1);
  });

  it("that failed because of a bug is not repeated, and the bug is not hidden", async () => {
    const { invoke, calls } = script<Result<object>>(Object.assign(new Error("a bug"), { remote: true }));
    await expect(retryRpc(invoke)).rejects.toThrow("a bug");
    expect([calls(), waits.length]).toEqual([1, 0]);
  });
});

describe("the object of another stream", () => {
  const page: PageCommand = { incarnation: 1, from: 0, to: 1, paging: "bytes" };
  const pin: PinCommand = { offset: null, subOffset: 0, forkId: "i", forkName: "n", contentType: null, untilMs: 9 };

  function peerWith(methods: Partial<PeerApi>): { peer: PeerApi; stubs: () => number } {
    let stubs = 0;
    const none = async (): Promise<never> => {
      throw new Error("It was not to be called.");
    };
    const peer = peerOf(() => {
      stubs += 1;
      return { page: none, pin: none, release: none, ...methods };
    });
    return { peer, stubs: () => stubs };
  }

  it("is asked for a page again, by a new stub each time", async () => {
    const { invoke } = script<Result<PageResult>>(lost(), { ok: true, page: new Uint8Array(1), end: 1, cold: [] });
    const { peer, stubs } = peerWith({ page: invoke });
    expect(await peer.page(page)).toEqual({ ok: true, page: new Uint8Array(1), end: 1, cold: [] });
    expect(stubs()).toBe(2);
  });

  it("is asked for a pin once, because refusing a second attempt would not mean that the first was not made", async () => {
    const { invoke, calls } = script<Awaited<ReturnType<PeerApi["pin"]>>>(lost(), refuse("stream-not-found", "gone"));
    await expect(peerWith({ pin: invoke }).peer.pin(pin)).rejects.toMatchObject({ durableObjectReset: true });
    expect(calls()).toBe(1);
  });

  it("is sent a release once, because the alarm sends it again", async () => {
    const release = vi.fn<() => Promise<void>>(async () => {
      throw lost();
    });
    await expect(peerWith({ release }).peer.release("i")).rejects.toThrow("reset");
    expect(release).toHaveBeenCalledTimes(1);
  });

  it("returns copies as answers, and releases the call", async () => {
    const dispose = vi.fn<() => void>();
    const answer = { ok: true, page: new Uint8Array(1), end: 1, cold: [], [Symbol.dispose]: dispose } as const;
    const found = await peerWith({ page: async () => answer }).peer.page(page);
    expect(found).toEqual({ ok: true, page: answer.page, end: 1, cold: [] });
    expect(found).not.toBe(answer);
    expect(dispose).toHaveBeenCalledTimes(1);
  });
});
