/** What some work was billed for by the platform, but for the requests of the Worker itself, and for time. */
export interface Usage {
  /** Calls of objects, over RPC or fetch, and their alarms. */
  readonly objectRequests: number;
  /** Events that an object had to be in memory for: requests, alarms, and sockets that were closed. */
  readonly wakeUps: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** Class A: put, list. */
  readonly r2Writes: number;
  /** Class B: get, head. */
  readonly r2Reads: number;
  readonly kvReads: number;
  readonly kvWrites: number;
}
