/** Sends a wake to its destination: a webhook, the wake stream, or the dead-letter stream. */

import { formatSignature, signaturePrefix, type Refusal } from "@durable-streams-cloudflare/protocol";
import { base64url } from "jose";

import { tagWakeToken } from "../contracts/wake-tag.ts";
import type { LinkView, SigningKey } from "../contracts/wakes.ts";
import { refuseCallback } from "../outbound/callback-url.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import type { SubscriptionRecord } from "./subscription-record.ts";
import type { WakeRow } from "./tables/subscription-rows.ts";
import { signWakeToken } from "./tokens.ts";
import { refuseWebhookUrl } from "./webhook-url.ts";

/** A key is asked for again after this long: rotation takes effect by then. */
const SIGNING_KEY_MS_MAX = 60_000;

const NO_ANSWER = "The webhook could not be reached over HTTPS or did not answer in time.";

const NO_PROOF = "The webhook's response did not contain the challenge.";

/** The outcome of a delivery. `done`: everything that was listed is acknowledged. */
export interface Outcome {
  readonly kind: "done" | "accepted" | "failed";
  readonly status: number | null;
  readonly error: string | null;
}

export class Sender {
  readonly #host: WakeSubscriptionHost;
  #key: { readonly key: SigningKey; readonly readAtMs: number } | undefined;

  constructor(host: WakeSubscriptionHost) {
    this.#host = host;
  }

  /** The key that signs now. */
  async signingKey(): Promise<SigningKey> {
    const nowMs = this.#host.now();
    if (this.#key === undefined || nowMs - this.#key.readAtMs >= SIGNING_KEY_MS_MAX) {
      this.#key = { key: await this.#host.directory.signingKey(), readAtMs: nowMs };
    }
    return this.#key.key;
  }

  /** Sends a webhook [PROTOCOL §7.1]. */
  async sendWebhook(subscription: SubscriptionRecord, wake: WakeRow, streams: readonly LinkView[]): Promise<Outcome> {
    const controlUrl = this.#controlUrl(subscription);
    const refused = this.#refuse(subscription) ?? refuseCallback(controlUrl, true);
    if (refused !== undefined) return failed(null, explain(refused));
    return this.#post(
      subscription,
      async () => {
        const token = await this.#tagged(await signWakeToken(this.#host.name, subscription.secret, wake));
        return this.#notification(controlUrl, wake, streams, token);
      },
      (answer) => (answer?.["done"] === true ? "done" : "accepted"),
    );
  }

  /** Asks a webhook's URL to prove that it wants to be sent wakes. `done`: it has. */
  async sendChallenge(subscription: SubscriptionRecord): Promise<Outcome> {
    const refused = this.#refuse(subscription);
    if (refused !== undefined) return failed(null, explain(refused));
    const challenge = this.#host.newSecret();
    const outcome = await this.#post(
      subscription,
      async () => ({ type: "webhook.challenge", subscription_id: this.#id, challenge }),
      (answer) => (answer?.["challenge"] === challenge ? "done" : "accepted"),
    );
    return outcome.kind === "accepted" ? failed(outcome.status, NO_PROOF) : outcome;
  }

  #controlUrl({ controlUrl }: SubscriptionRecord): string {
    return this.#host.publicControlUrl ?? controlUrl;
  }

  /** Again each time: the rules, or what is development, may have changed since the subscription was made. */
  #refuse(subscription: SubscriptionRecord): Refusal | undefined {
    const rules = {
      allowsLoopback: this.#host.allowsLoopback,
      ownHosts: [new URL(this.#controlUrl(subscription)).host],
    };
    return refuseWebhookUrl(subscription.config.webhookUrl ?? "", rules);
  }

  async #post(
    { config }: SubscriptionRecord,
    message: () => Promise<object>,
    judge: (answer: Readonly<Record<string, unknown>> | undefined) => Outcome["kind"],
  ): Promise<Outcome> {
    try {
      const body = encode(JSON.stringify(await message()));
      const signature = await this.#sign(body);
      const { status, text } = await this.#host.send({ url: config.webhookUrl ?? "", body, signature });
      if (status < 200 || status > 299) return failed(status, `The webhook answered with status ${status}.`);
      return { kind: judge(parseObject(text)), status, error: null };
    } catch {
      // Reported alike whatever it was: otherwise managers could find out what listens where.
      return failed(null, NO_ANSWER);
    }
  }

  /** Writes the event that workers wait for [PROTOCOL §7.2]. */
  writeWake({ config }: SubscriptionRecord, { id, generation }: WakeRow, stream: string): Promise<Outcome> {
    const event = { type: "wake", subscription_id: this.#id, stream, generation, ts: this.#host.now() };
    return this.#write(config.wakeStream ?? "", id, event);
  }

  /** Writes down a wake that its webhook has not taken. */
  writeDeadLetter(
    stream: string,
    { id, generation, attempts }: WakeRow,
    streams: readonly LinkView[],
    error: string | null,
  ): Promise<Outcome> {
    const pending = streams.filter(({ acked, tail }) => tail > acked).map(formatLink);
    const what = { subscription_id: this.#id, wake_id: id, generation, attempts, error, streams: pending };
    return this.#write(stream, id, { type: "dead-letter", ...what, ts: this.#host.now() });
  }

  /**
   * As the edge knows it: a webhook's callback reaches this object only with a tag. Without a record of the project there is
   * none.
   */
  async #tagged(token: string): Promise<string> {
    const { wakeKey } = await this.signingKey();
    return wakeKey === undefined ? token : tagWakeToken(token, wakeKey);
  }

  get #id(): string {
    return this.#host.name.slice(this.#host.name.indexOf("/") + 1);
  }

  async #write(path: string, requestId: string, event: object): Promise<Outcome> {
    const project = this.#host.name.slice(0, this.#host.name.indexOf("/"));
    // In stored form a JSON message has a comma behind it.
    const bytes = encode(`${JSON.stringify(event)},`);
    try {
      const written = await this.#host
        .stream(`${project}/${path}`)
        .append({ bytes, contentType: "application/json", close: false, attempt: requestId });
      return written.ok
        ? { kind: "accepted", status: null, error: null }
        : failed(null, `${path}: ${written.problem.code}`);
    } catch {
      return failed(null, `${path} could not be reached.`);
    }
  }

  #notification(controlUrl: string, wake: WakeRow, streams: readonly LinkView[], token: string): object {
    return {
      subscription_id: this.#id,
      wake_id: wake.id,
      generation: wake.generation,
      streams: streams.map(formatLink),
      callback_url: `${controlUrl}/subscriptions/${encodeURIComponent(this.#id)}/callback`,
      callback_token: token,
    };
  }

  async #sign(body: Uint8Array<ArrayBuffer>): Promise<string> {
    const { kid, jwk } = await this.signingKey();
    const nowMs = this.#host.now();
    const prefix = encode(signaturePrefix(nowMs));
    const signed = new Uint8Array(prefix.length + body.length);
    signed.set(prefix);
    signed.set(body, prefix.length);
    const key = await crypto.subtle.importKey("jwk", JSON.parse(jwk) as JsonWebKey, "Ed25519", false, ["sign"]);
    const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", key, signed));
    return formatSignature(nowMs, kid, base64url.encode(signature));
  }
}

/** A stream of a wake, as workers see it. */
export function formatLink({ path, linkType, acked, tail }: LinkView): object {
  return { path, link_type: linkType, acked_offset: acked, tail_offset: tail, has_pending: tail > acked };
}

function failed(status: number | null, error: string): Outcome {
  return { kind: "failed", status, error };
}

function explain({ problem: { detail, hint } }: Refusal): string {
  return hint === undefined ? detail : `${detail} ${hint}`;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}
