/**
 * What a call is told whose object had to be read again from the disk, because something that it had written was lost. Marked
 * as Cloudflare marks the calls of an object that was reset: callers repeat them, and answer 503 if that does not help.
 */

export class WriteLostError extends Error {
  readonly durableObjectReset = true;

  constructor(cause?: unknown) {
    super("The object was reloaded, because something that it had written could not be stored.", { cause });
    this.name = "WriteLostError";
  }
}
