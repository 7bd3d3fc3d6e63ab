import { DEFAULT_SETTINGS } from "@durable-streams-cloudflare/core/contracts/project-record";
import { projectOf, type Project } from "@durable-streams-cloudflare/core/project/project";
import { SignJWT, type JWTPayload } from "jose";
import { expect, it } from "vitest";

import { signReadUrlToken, verifyReadUrlToken, verifyToken, type TokenClaims } from "./token.ts";

const SECRET = "s".repeat(32);
const record = {
  ...DEFAULT_SETTINGS,
  name: "p",
  createdAtMs: 0,
  secrets: [
    { kid: "newer", secret: "n".repeat(32), createdAtMs: 1 },
    { kid: "older", secret: SECRET, createdAtMs: 0 },
  ],
  readUrlsFromMs: 0,
};

const DAY = 24 * 3_600;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

async function verified(
  claims: JWTPayload,
  { kid, typ }: { kid?: string; typ?: string } = {},
): Promise<TokenClaims | string> {
  const project: Project = await projectOf(record);
  const payload = { sub: "p", scope: "read", exp: nowSeconds() + 60, ...claims };
  const header = { alg: "HS256", ...(kid === undefined ? {} : { kid }), ...(typ === undefined ? {} : { typ }) };
  const token = await new SignJWT(payload).setProtectedHeader(header).sign(new TextEncoder().encode(SECRET));
  const result = await (typ === undefined ? verifyToken : verifyReadUrlToken)(token, project);
  return result.ok ? result.claims : result.problem.detail;
}

const readUrl = (claims: JWTPayload): Promise<TokenClaims | string> =>
  verified({ iat: nowSeconds(), stream_id: "s", ...claims }, { typ: "read-url+jwt" });

it("a verified token says which secret signed it, whether or not it names that itself", async () => {
  expect(await verified({}, { kid: "older" })).toMatchObject({ by: { kid: "older", user: null } });
  expect(await verified({})).toMatchObject({ by: { kid: "older", user: null } });
});

it("a verified token says for which user it was made", async () => {
  for (const user of ["alice", "ß@example.com", "x".repeat(256), "ü".repeat(128)])
    expect(await verified({ user })).toMatchObject({ by: { kid: "older", user } });
});

it("a token is refused whose user is not one line of text of at most 256 bytes", async () => {
  for (const user of [
    "",
    "x".repeat(257),
    "ü".repeat(129),
    "a\nb",
    "a\u0085b",
    "a\u2028b",
    "\ud800",
    7,
    {},
    ["a"],
    true,
  ])
    expect(await verified({ user })).toBe("The token's user is not valid.");
});

it("a token lasts ten years at the most: one whose exp is in milliseconds is refused", async () => {
  expect(await verified({ exp: nowSeconds() + 3_650 * DAY })).toMatchObject({ by: { kid: "older" } });
  for (const exp of [nowSeconds() + 3_661 * DAY, Date.now(), 1e300])
    expect(await verified({ exp })).toBe("The token's exp is missing or more than ten years in the future.");
});

it("[PJ7] a read URL lasts a week at the most, whoever signed it, and whatever date it says", async () => {
  expect(await readUrl({ exp: nowSeconds() + 7 * DAY })).toMatchObject({ isProjectWide: false });
  for (const claims of [
    { exp: nowSeconds() + 7 * DAY + 60 },
    { exp: nowSeconds() + 9 * 365 * DAY },
    { iat: nowSeconds() + 30 * DAY, exp: nowSeconds() + 31 * DAY },
  ])
    expect(await readUrl(claims)).toBe("The URL's lifetime is longer than a week.");
});

it("[PJ7] a read URL reads the one stream of its name, and carries no rights", async () => {
  for (const claims of [{ scope: "write" }, { scope: "read write" }, { scope: "manage" }, { stream_id: undefined }])
    expect(await readUrl(claims)).toBe("The token is not valid on this server.");
  const rights = [{ streams: "s", scope: "read" }];
  expect(await readUrl({ rights, scope: undefined, stream_id: undefined })).toBe(
    "The token is not valid on this server.",
  );
  expect(await readUrl({ rights })).toContain("rights must be");
});

it("[PJ3] a token is accepted in one spelling only: nothing may be added to its signature", async () => {
  const project = await projectOf(record);
  const token = await signReadUrlToken(project, "s", 60, Date.now());
  expect((await verifyReadUrlToken(token, project)).ok).toBe(true);
  const last = token.slice(-1);
  // A signature of 32 bytes leaves two bits of its last character without a meaning.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? "";
  for (const other of [`${token}=`, `${token}%3D`, `${token} `, `${token}.`, token.slice(0, -1) + twin])
    expect((await verifyReadUrlToken(other, project)).ok).toBe(false);
});
