import { DurableObject } from "cloudflare:workers";

/** The object of one stream's tally. */
export class TallyDO extends DurableObject {
  async add(): Promise<number> {
    const count = (await this.count()) + 1;
    await this.ctx.storage.put("count", count);
    return count;
  }

  async count(): Promise<number> {
    return (await this.ctx.storage.get<number>("count")) ?? 0;
  }

  async reset(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}
