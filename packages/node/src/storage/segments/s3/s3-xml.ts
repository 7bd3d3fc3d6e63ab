/** The little XML that S3 needs. Keys are of letters, digits and a few marks (`s3-keys.ts`), so nothing is escaped in them. */

/** The text of the first element of that name. */
export function textIn(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1];
}

/** The keys in a list of objects. */
export function keysIn(xml: string): readonly string[] {
  return [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => key);
}

/** The body of a request that deletes objects. The answer then names only those that could not be deleted. */
export function deletionOf(keys: readonly string[]): string {
  const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("");
  return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}<Quiet>true</Quiet></Delete>`;
}
