/** Serves one request of Node.js: from the message to its written response. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import type { Config } from "@durable-streams-cloudflare/core/config";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { refusedAnswer } from "@durable-streams-cloudflare/http/answers/problem";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { inOrder } from "./in-order.ts";
import { IncomingRequest, type Arrival, type NodeRequest, type NodeResponse } from "./incoming-request.ts";
import { writeAnswer } from "./write-answer.ts";

/** A message, where its response goes, and how it came. */
export interface Exchange {
  readonly message: NodeRequest;
  readonly response: NodeResponse;
  readonly arrival: Arrival;
}

/** Answers a request. */
export type AnswerRequest = (request: HttpRequest) => Promise<Answer>;

/** What becomes of requests. */
export interface Handlers {
  /** Answers a request. */
  readonly onRequest: (message: NodeRequest, response: NodeResponse) => void;
  /** Refuses a request on a connection beyond the limit, and ends the connection. */
  readonly onRefused: (message: NodeRequest, response: NodeResponse) => void;
  /** Answers a request for a socket; absent if there are none. */
  readonly onUpgrade?: ((message: IncomingMessage, socket: Socket, head: Buffer) => void) | undefined;
}

/**
 * Serves a request.
 * @param onEnd called when the response has ended, or the client has gone.
 */
export function serve(
  exchange: Exchange,
  logLevel: Config["logLevel"],
  answer: AnswerRequest,
  onEnd?: () => void,
): void {
  inOrder(exchange.message, (end) => {
    const onOver = (): void => {
      end();
      onEnd?.();
    };
    void respond(exchange, logLevel, answer, onEnd === undefined ? end : onOver);
  });
}

/** Never rejects. */
async function respond(
  { message, response, arrival }: Exchange,
  logLevel: Config["logLevel"],
  answer: AnswerRequest,
  onEnd: () => void,
): Promise<void> {
  try {
    const request = new IncomingRequest(message, response, arrival);
    const given = await (request.hasValidHost ? answer(request) : refusedAnswer(request, refuseHost()));
    await writeAnswer(response, given, request.method === "HEAD", onEnd);
  } catch (error) {
    logFault(logLevel, "An answer could not be written.", error);
    response.destroy();
    onEnd();
  }
}

/** The refusal of a request whose host is malformed. */
export function refuseHost(): Refusal {
  return refuse("host-refused", "The host of the request is malformed.", {
    hint: "Send a header Host with a name or an address, and a port where it is not the default.",
  });
}
