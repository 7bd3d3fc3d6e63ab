/**
 * The name of a Durable Object. Names are stored for good, so an invented one would be worse than none.
 * @throws Error when the object was addressed by a random id, and so has no name.
 */
export function objectName({ name }: { readonly name?: string | undefined }): string {
  if (name === undefined) throw new Error("The object must be addressed by name.");
  return name;
}
