/**
 * The error of a call to an object whose state was dropped because something that it had written was lost. It is marked as
 * Cloudflare marks calls to an object that was reset, so callers retry, and answer 503 if the retries fail.
 */

export class WriteLostError extends Error {
  readonly durableObjectReset = true;

  constructor(cause?: unknown) {
    super("The object was reloaded, because something that it had written could not be stored.", { cause });
    this.name = "WriteLostError";
  }
}
