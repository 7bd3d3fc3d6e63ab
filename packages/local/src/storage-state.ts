/** What the launcher tells the Worker about the disk. */
export interface StorageState {
  /** Why nothing can be stored; `null` if the disk is fine. */
  readonly fault: StorageFault | null;
  /** How many bytes can still be stored. */
  readonly roomBytes: number;
}

/** The same as the server's type of this name. */
export interface StorageFault {
  readonly isFull: boolean;
  readonly detail: string;
}
