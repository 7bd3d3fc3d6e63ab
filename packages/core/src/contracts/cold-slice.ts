/** Some blocks of one segment: plain data, safe to send over RPC. */
export interface ColdSlice {
  readonly key: string;
  readonly incarnation: number;
  /** Where the first block is in the object, and where the last one ends. */
  readonly offset: number;
  readonly end: number;
  /** Position of the first block. */
  readonly position: number;
  /** What is wanted of the blocks' bytes. */
  readonly from: number;
  readonly to: number;
}
