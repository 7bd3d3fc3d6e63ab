/** What receivers of webhooks do, and what failed for those of other products. */
import { createPublicKey, verify, type JsonWebKey } from "node:crypto";

import { afterEach, beforeEach, expect, it } from "vitest";

import { countOf, DONE, startHook, type Delivery, type Hook } from "../../src/hook.ts";
import { append, create, get, JSON_TYPE, nextOffset, send } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

/** As `npm start`: webhooks to this machine need no setting. */
const server = useServer();
let hook: Hook;
let names = 0;

beforeEach(async () => {
  hook = await startHook();
});

afterEach(() => hook.stop());

const root = (): string => `${server.url}/v1/stream`;

async function subscribe(stream: string): Promise<void> {
  const body = JSON.stringify({ type: "webhook", streams: [stream], webhook: { url: hook.url } });
  const made = await send("PUT", `${root()}/__ds/subscriptions/s-${(names += 1)}`, { headers: JSON_TYPE, body });
  expect(made.status).toBe(201);
}

interface Keys {
  readonly keys: readonly (JsonWebKey & { readonly kid: string })[];
}

function isSigned({ headers, body }: Delivery, { keys }: Keys): boolean {
  const header = String(headers["webhook-signature"]);
  const parts = new Map(
    header.split(",").map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]),
  );
  const jwk = keys.find(({ kid }) => kid === parts.get("kid"));
  if (jwk === undefined) return false;
  const signed = Buffer.concat([Buffer.from(`${parts.get("t")}.`), body]);
  const signature = Buffer.from(parts.get("ed25519") ?? "", "base64url");
  return verify(null, signed, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

it("[WH5] each attempt verifies over the raw bytes, whatever the stream's name, and Content-Length counts bytes", async () => {
  const name = "😀-é/x y";
  await create(`${root()}/${encodeURI(name)}`, { headers: JSON_TYPE });
  await subscribe(name);
  let failures = 2;
  hook.answer = () => ((failures -= 1) >= 0 ? { status: 500, text: "no" } : DONE);
  await append(`${root()}/${encodeURI(name)}`, '{"e":"😀"}', JSON_TYPE);
  const deliveries = await hook.received(({ length }) => length === 3);
  const keys = JSON.parse((await get(`${root()}/__ds/jwks.json`)).text) as Keys;
  for (const delivery of deliveries) {
    expect(isSigned(delivery, keys)).toBe(true);
    expect(Number(delivery.headers["content-length"])).toBe(delivery.body.length);
    expect(delivery.wake.streams.map(({ path }) => path)).toEqual([name]);
  }
  expect(new Set(deliveries.map(({ wake }) => `${wake.wake_id} ${wake.generation}`)).size).toBe(1);
  const [first] = deliveries;
  expect(first && isSigned({ ...first, body: Buffer.concat([first.body, Buffer.from(" ")]) }, keys)).toBe(false);
});

it("[WK7] a worker may write to the server and acknowledge before it answers the webhook; the next append wakes it again", async () => {
  const [input, output] = [`${root()}/in`, `${root()}/out`];
  await create(input, { headers: JSON_TYPE });
  await create(output, { headers: JSON_TYPE });
  await subscribe("in");
  const statuses: number[] = [];
  hook.answer = async ({ wake }) => {
    statuses.push((await append(output, '"seen"', JSON_TYPE)).status);
    const called = await send("POST", wake.callback_url, {
      headers: { ...JSON_TYPE, Authorization: `Bearer ${wake.callback_token}` },
      body: JSON.stringify({
        wake_id: wake.wake_id,
        generation: wake.generation,
        acks: wake.streams.map(({ path, tail_offset: offset }) => ({ stream: path, offset })),
        done: true,
      }),
    });
    statuses.push(called.status);
    return { status: 200, text: "{}" };
  };
  await append(input, "1", JSON_TYPE);
  await expect.poll(() => statuses, { timeout: 20_000 }).toEqual([204, 200]);
  await append(input, "2", JSON_TYPE);
  await expect.poll(() => statuses, { timeout: 20_000 }).toEqual([204, 200, 204, 200]);
  // A wake too many would have come between the two.
  expect(hook.deliveries.map(({ wake }) => wake.generation)).toEqual([1, 2]);
  const tail = nextOffset(await append(input, "3", JSON_TYPE));
  const deliveries = await hook.received((all) => all.some(({ wake }) => wake.streams[0]?.tail_offset === tail));
  expect(countOf(deliveries, "in")).toBe(deliveries.length);
  // The worker is in the middle of it.
  await expect.poll(() => statuses.length, { timeout: 20_000 }).toBe(6);
});
