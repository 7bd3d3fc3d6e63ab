/** A server under load, in processes of its own. Scenarios know nothing of it but its URL. */

export interface Target {
  readonly url: string;
  stop(): Promise<void>;
}

export interface TargetKind {
  /** As it stands in tables. */
  readonly name: string;
  /** @param dataDir an empty directory that is removed afterwards. */
  start(dataDir: string): Promise<Target>;
}
