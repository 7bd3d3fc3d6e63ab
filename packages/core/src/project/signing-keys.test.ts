import { expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { publicKeys, RETIRED_KEY_MS, rotateSigningKey, signingKey } from "./signing-keys.ts";
import { PROJECT_SCHEMA } from "./tables/schema.ts";

const START_MS = 1_800_000_000_000;

it("[WH2] a project has no key before its first webhook, and looking for one makes none", async () => {
  const database = new NodeDatabase(PROJECT_SCHEMA);
  expect(publicKeys(database, START_MS)).toEqual([]);
  expect(database.tableNames()).toEqual([]);
});

it("[WH2] the key stays the same, and two callers who need the first one at once get the same key", async () => {
  const database = new NodeDatabase(PROJECT_SCHEMA);
  const now = () => START_MS;
  const [first, second] = await Promise.all([signingKey(database, now), signingKey(database, now)]);
  expect(second).toEqual(first);
  expect(first.kid).toMatch(/^ds_[\w-]{43}$/);
  expect(await signingKey(database, now)).toEqual(first);
  expect(publicKeys(database, START_MS).map(({ kid }) => kid)).toEqual([first.kid]);
  expect(Object.keys(publicKeys(database, START_MS)[0] ?? {}).toSorted()).toEqual([
    "alg",
    "crv",
    "kid",
    "kty",
    "use",
    "x",
  ]);
});

it("[WH3] after a rotation the old key is published until nothing that it signed can be accepted any more", async () => {
  const database = new NodeDatabase(PROJECT_SCHEMA);
  let nowMs = START_MS;
  const now = () => nowMs;
  const old = await signingKey(database, now);
  nowMs += 1;
  const rotated = await rotateSigningKey(database, now);
  if (!rotated.ok) throw new Error("not rotated");
  const kids = () => publicKeys(database, nowMs).map(({ kid }) => kid);
  expect((await signingKey(database, now)).kid).toBe(rotated.kid);
  expect(kids()).toEqual([rotated.kid, old.kid]);
  nowMs += RETIRED_KEY_MS - 1;
  expect(kids()).toEqual([rotated.kid, old.kid]);
  nowMs += 1;
  expect(kids()).toEqual([rotated.kid]);
});

it("[WH3] sixteen keys are published at most, and rotations remove none that is needed", async () => {
  const database = new NodeDatabase(PROJECT_SCHEMA);
  let nowMs = START_MS;
  const now = () => (nowMs += 1);
  await signingKey(database, now);
  for (let count = 1; count < 16; count += 1) expect((await rotateSigningKey(database, now)).ok).toBe(true);
  expect(await rotateSigningKey(database, now)).toMatchObject({ problem: { code: "rate-limited" } });
});
