/** Why the storage of a server cannot be opened as it was asked, and what to do about it. Nothing was changed. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  /** What to do, as an instruction. */
  readonly fix: string;

  constructor(message: string, { fix, cause }: { readonly fix: string; readonly cause?: unknown }) {
    super(message, { cause });
    this.fix = fix;
  }
}
