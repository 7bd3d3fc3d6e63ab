import { vi } from "vitest";

import { StreamDO } from "../../src/index.ts";

/** The next call of a method is carried out, or not, and its object dies before it can say so. Restore all mocks after. */
export function loseNextAnswer(method: "appendAll" | "create" | "pin" | "remove", isDone: boolean): void {
  const original = Reflect.get<StreamDO, typeof method>(StreamDO.prototype, method) as (
    ...args: unknown[]
  ) => Promise<unknown>;
  vi.spyOn(StreamDO.prototype, method).mockImplementationOnce(async function (this: StreamDO, ...args: unknown[]) {
    const { ctx } = this as unknown as { ctx: DurableObjectState };
    if (isDone) await original.call(this, ...args);
    await ctx.storage.sync();
    ctx.abort("the test ends this object");
    return new Promise<never>(() => undefined);
  });
}
