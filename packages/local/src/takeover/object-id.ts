/** The ids of workerd's objects, which are derived from their names. workerd names an object's file by its id. */

import { createHash, createHmac } from "node:crypto";

const HALF = 16;

/** Derives an object's id from its name, as workerd does. @param namespace the folder that contains the objects' files. */
export function objectId(namespace: string, name: string): string {
  const key = createHash("sha256").update(namespace).digest();
  const half = createHmac("sha256", key).update(name).digest().subarray(0, HALF);
  const check = createHmac("sha256", key).update(half).digest().subarray(0, HALF);
  return Buffer.concat([half, check]).toString("hex");
}
