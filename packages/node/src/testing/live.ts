/** What comes out of a live read, as it comes. */
export class Live {
  seen = "";
  readonly ended: Promise<void>;

  constructor(response: Response) {
    this.ended = this.#read(response);
    // Nobody need wait for its end, and a server that is stopped may cut it off.
    this.ended.catch(() => undefined);
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) this.seen += decoder.decode(chunk, { stream: true });
  }
}
