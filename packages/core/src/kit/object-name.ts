/**
 * The name by which an object was got. Names are stored for good, so a made-up one would be worse than none.
 * @throws Error when it was got by a random id.
 */
export function objectName({ name }: { readonly name?: string | undefined }): string {
  if (name === undefined) throw new Error("The object must be addressed by name.");
  return name;
}
