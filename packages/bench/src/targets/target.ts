/** A server under load, in processes of its own. Scenarios know nothing of it but its URL. */

export interface Target {
  readonly url: string;
  /** The processes that it consists of. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

export interface TargetKind {
  /** As it stands in tables. */
  readonly name: string;
  /** Left out when there is little time: it tells where time goes, not who is faster. */
  readonly isExtra?: boolean;
  /** @param dataDir an empty directory that is removed afterwards. */
  start(dataDir: string): Promise<Target>;
}
