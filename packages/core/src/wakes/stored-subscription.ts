/** A subscription's row, read once and kept in memory. */

import type { WakeSubscriptionHost } from "./host.ts";
import type { SubscriptionRecord, Tombstone } from "./subscription-record.ts";
import {
  createConsumerTables,
  dropLinks,
  readConsumer,
  writeConsumer,
  writeProgress,
  type WakeProgress,
} from "./tables/subscription-rows.ts";
import { NO_PROGRESS } from "./wake-states.ts";

interface Stored {
  readonly record: SubscriptionRecord | Tombstone;
  readonly progress: WakeProgress;
}

export class StoredSubscription {
  readonly #host: WakeSubscriptionHost;

  constructor(host: WakeSubscriptionHost) {
    this.#host = host;
  }

  /** Whether there ever was such a subscription. */
  exists(): boolean {
    return this.#read() !== undefined;
  }

  /** `undefined`: there is none, or it was deleted. */
  subscription(): SubscriptionRecord | undefined {
    const stored = this.#read()?.record;
    return stored === undefined || "deletedAtMs" in stored ? undefined : stored;
  }

  tombstone(): Tombstone | undefined {
    const stored = this.#read()?.record;
    return stored !== undefined && "deletedAtMs" in stored ? stored : undefined;
  }

  progress(): WakeProgress {
    return this.#read()?.progress ?? NO_PROGRESS;
  }

  /** Of a subscription that begins, perhaps where another was: generations only grow. */
  begin(subscription: SubscriptionRecord): void {
    const { generation } = this.progress();
    createConsumerTables(this.#host.database);
    dropLinks(this.#host.database);
    this.#write({ record: subscription, progress: { ...NO_PROGRESS, generation } });
  }

  update(subscription: SubscriptionRecord): void {
    this.#write({ record: subscription, progress: this.progress() });
  }

  bury(tombstone: Tombstone): void {
    dropLinks(this.#host.database);
    const { generation } = this.progress();
    this.#write({ record: tombstone, progress: { ...NO_PROGRESS, generation } });
  }

  writeProgress(progress: WakeProgress): void {
    writeProgress(this.#host.database, progress);
  }

  #write({ record, progress }: Stored): void {
    writeConsumer(this.#host.database, JSON.stringify(record), progress);
  }

  #read(): Stored | undefined {
    const row = readConsumer(this.#host.database);
    return row && { record: JSON.parse(row.subscription) as Stored["record"], progress: row.progress };
  }
}
