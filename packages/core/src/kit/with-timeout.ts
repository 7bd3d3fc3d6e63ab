/** Thrown when the store takes too long. */
export class StoreSilent extends Error {
  override readonly name = "StoreSilent";

  constructor(ms: number) {
    super(`The storage has not answered for ${ms} ms.`);
  }
}

/** @throws StoreSilent when the promise is not settled in time; it goes on by itself. */
export async function withTimeout<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  const { promise: silence, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new StoreSilent(ms)), ms);
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
