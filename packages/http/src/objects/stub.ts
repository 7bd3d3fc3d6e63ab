/** Makes the stub of an object: whoever holds it calls the object's methods by their names. */

/** @param call makes one call. */
export function stubOf<Api extends object>(
  call: (method: string, values: readonly unknown[]) => Promise<unknown>,
): Api {
  const methods = {
    // Whatever is awaited is asked whether it is a promise.
    get: (_target: object, method: string | symbol) =>
      typeof method !== "string" || method === "then"
        ? undefined
        : (...values: readonly unknown[]) => call(method, values),
  };
  return new Proxy({}, methods) as Api;
}

type Methods = Readonly<Record<string, ((...values: readonly unknown[]) => unknown) | undefined>>;

/**
 * Calls a method of an object by its name.
 * @throws Error if there is no such method.
 */
export function callMethod(api: object, method: string, values: readonly unknown[]): unknown {
  const called = (api as Methods)[method];
  if (called === undefined) throw new Error(`The object has no method ${method}.`);
  return called.apply(api, [...values]);
}
