/** Opens a socket for a request that asks for one: checks the request, and hands the connection to an object. */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { Handled } from "../answers/answer.ts";
import { NO_STORE } from "../answers/cache-control.ts";
import { allowsOrigin } from "../answers/cors.ts";
import type { HttpRequest } from "../ports.ts";
import { attachmentText, checkTags, type ModuleObjects, type SocketOpening } from "./socket.ts";

/** How a handler opens a socket. */
export interface Connecting extends Partial<SocketOpening> {
  /**
   * The subprotocols that the object speaks. The first of them that the client offers is used; a client that offers none is
   * refused.
   */
  readonly protocols?: readonly string[];
}

const PROTOCOLS_HEADER = "sec-websocket-protocol";

/**
 * Opens a socket to an object.
 * @param origins whose pages may open one, in the form of `Config.corsOrigins`: sockets know no CORS.
 */
export async function connect(
  request: HttpRequest,
  origins: readonly string[],
  { objects, name }: { readonly objects: ModuleObjects; readonly name: string },
  { protocols = [], attachment = null, tags = [] }: Connecting,
): Promise<Handled> {
  const refusal = refuseConnecting(request, origins);
  if (refusal !== undefined) return refusal;
  const chosen = choose(request, protocols);
  if (!chosen.ok) return chosen;
  const { protocol } = chosen;
  attachmentText(attachment);
  checkTags(tags);
  const connected = await objects.connect(name, { attachment, tags });
  if (!connected.ok) return connected;
  const headers: Record<string, string> = { "Cache-Control": NO_STORE };
  if (protocol !== undefined) headers[PROTOCOLS_HEADER] = protocol;
  return { ok: true, answer: { status: 101, headers, body: null, upgrade: { protocol, end: connected.end } } };
}

function refuseConnecting(request: HttpRequest, origins: readonly string[]): Refusal | undefined {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse("upgrade-required", "This route opens a socket, but the request does not ask for one.", {
      hint: "Use a client of this protocol, such as the one that browsers have: its URL begins with ws:// or wss://.",
      headers: { Upgrade: "websocket" },
    });
  }
  if (request.cannotUpgrade === true) {
    return refuse("upgrade-unavailable", "The server is mounted in a way that sockets do not reach.", {
      hint: 'Pass upgrades on to the server\'s handler: server.on("upgrade", handler.upgrade).',
    });
  }
  const origin = request.headers.get("origin");
  if (origin === null || allowsOrigin(origins, origin)) return undefined;
  return refuse("origin-refused", `Pages of ${origin} may not open sockets here.`, {
    hint: "Add the origin to the project's CORS origins, or to CORS_ORIGINS.",
  });
}

function choose(request: HttpRequest, spoken: readonly string[]): Result<{ readonly protocol: string | undefined }> {
  if (spoken.length === 0) return { ok: true, protocol: undefined };
  const offered = (request.headers.get(PROTOCOLS_HEADER) ?? "").split(",").map((name) => name.trim());
  const protocol = offered.find((name) => spoken.includes(name));
  if (protocol !== undefined) return { ok: true, protocol };
  return refuse("subprotocol-unsupported", `The route speaks ${spoken.join(" or ")}, which the client does not offer.`);
}
