/**
 * The turns of the event loop. All requests that have arrived when a turn begins are served in it, one after the other. Where
 * no commit waits for a disk, an object that has committed in a turn waits for its end, so that the rest of what has arrived
 * for it shares one commit. Who writes alone does not wait.
 */
export class Turns {
  #number = 0;
  #end: Promise<void> | undefined;

  /** Which turn it is. */
  get number(): number {
    void this.end();
    return this.#number;
  }

  /** Resolves when the next turn begins. */
  end(): Promise<void> {
    return (this.#end ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#end = undefined;
        this.#number += 1;
        resolve();
      });
    }));
  }
}
