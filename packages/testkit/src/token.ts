import { createHmac } from "node:crypto";

/** A token of HS256, made without any of the server's own code. */
export function signToken(secret: string, claims: object, header: object = {}): string {
  const signed = [{ alg: "HS256", ...header }, claims].map(encode).join(".");
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function encode(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}
