/** What the launcher tells the Worker about the disk. */
export interface StorageState {
  /** Why nothing can be stored; `null` if the disk is fine. */
  readonly fault: StorageFault | null;
  /** The number of bytes that can still be stored. */
  readonly roomBytes: number;
}

/** Why nothing can be stored. The same as the type of this name in `http`, which the launcher does not import. */
export interface StorageFault {
  readonly isFull: boolean;
  readonly detail: string;
}
