/** What the launcher tells the Worker of the disk. */
export interface StorageState {
  /** Why nothing can be stored, if that is so. */
  readonly fault: StorageFault | null;
  /** Bytes that can be stored before that. */
  readonly roomBytes: number;
}

/** What the server calls by the same name. */
export interface StorageFault {
  readonly isFull: boolean;
  readonly detail: string;
}
