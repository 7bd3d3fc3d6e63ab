import { SignJWT, type JWTPayload } from "jose";
import { expect, it } from "vitest";

import { projectOf, type Project } from "./project.ts";
import { INITIAL_SETTINGS } from "./record.ts";
import { verifyToken, type TokenClaims } from "./token.ts";

const SECRET = "s".repeat(32);
const record = {
  ...INITIAL_SETTINGS,
  name: "p",
  createdAtMs: 0,
  secrets: [
    { kid: "newer", secret: "n".repeat(32), createdAtMs: 1 },
    { kid: "older", secret: SECRET, createdAtMs: 0 },
  ],
  readUrlsFromMs: 0,
};

async function verified(claims: JWTPayload, kid?: string): Promise<TokenClaims | string> {
  const project: Project = await projectOf(record);
  const payload = { sub: "p", scope: "read", exp: Math.floor(Date.now() / 1000) + 60, ...claims };
  const header = { alg: "HS256", ...(kid === undefined ? {} : { kid }) };
  const token = await new SignJWT(payload).setProtectedHeader(header).sign(new TextEncoder().encode(SECRET));
  const result = await verifyToken(token, project);
  return result.ok ? result.claims : result.problem.detail;
}

it("a verified token says which secret signed it, whether or not it names that itself", async () => {
  expect(await verified({}, "older")).toMatchObject({ by: { kid: "older", user: null } });
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
    expect(await verified({ user })).toBe("The token's user is not right.");
});
