/**
 * A service that handles webhooks, in a process of its own which dies at random: it verifies the signature with the
 * server's keys, reads what is new, writes down what it has handled, and only then acknowledges it.
 *
 * Arguments: port, JWKS URL, journal, how many webhooks it survives (0: all).
 */
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

import { createRemoteJWKSet } from "jose";

interface Webhook {
  readonly wake_id: string;
  readonly generation: number;
  readonly callback_url: string;
  readonly callback_token: string;
  readonly streams: readonly { path: string; acked_offset: string; tail_offset: string; has_pending: boolean }[];
}

const REPLAY_WINDOW_SECONDS = 300;

const [port, jwksUrl = "", journal = "", survives] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(jwksUrl));
const streamRoot = jwksUrl.replace("__ds/jwks.json", "");
let left = Number(survives) > 0 ? Number(survives) : Infinity;

function note(entry: object): void {
  appendFileSync(journal, `${JSON.stringify(entry)}\n`);
}

async function isSigned(header: string, body: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const { t = "0", kid = "", ed25519 = "" } = Object.fromEntries(header.split(",").map((part) => part.split("=", 2)));
  if (Math.abs(Date.now() / 1000 - Number(t)) > REPLAY_WINDOW_SECONDS) return false;
  const key = await keys({ alg: "EdDSA", kid });
  const signed = Buffer.concat([Buffer.from(`${t}.`), body]);
  return crypto.subtle.verify("Ed25519", key, Buffer.from(ed25519, "base64url"), signed);
}

/** Dies at this point of its last webhook. */
function mayDie(point: number): void {
  if (left <= 0 && point === Date.now() % 3) process.exit(1);
}

async function handle(webhook: Webhook): Promise<object> {
  left -= 1;
  mayDie(0);
  for (const { path, acked_offset: offset } of webhook.streams.filter((stream) => stream.has_pending)) {
    const response = await fetch(`${streamRoot}${path}?offset=${offset}`);
    const events = (await response.json()) as string[];
    for (const event of events) note({ event });
  }
  mayDie(1);
  if (webhook.generation % 2 === 0) return { done: true };
  const acks = webhook.streams.map(({ path, tail_offset: offset }) => ({ stream: path, offset }));
  const { wake_id, generation } = webhook;
  const response = await fetch(webhook.callback_url, {
    method: "POST",
    headers: { Authorization: `Bearer ${webhook.callback_token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ wake_id, generation, acks, done: true }),
  });
  if (response.ok) note({ acked: wake_id, generation });
  mayDie(2);
  // The others die here.
  if (left <= 0) process.exit(1);
  return {};
}

createServer((request, response) => {
  void buffer(request).then(async (body) => {
    const bytes = new Uint8Array(body);
    if (!(await isSigned(String(request.headers["webhook-signature"]), bytes))) {
      note({ rejected: true });
      response.writeHead(401).end();
      return;
    }
    const answer = await handle(JSON.parse(body.toString()) as Webhook);
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  });
}).listen(Number(port), "127.0.0.1", () => process.send?.("ready"));
