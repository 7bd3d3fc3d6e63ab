/** Adapts a Web `Request` to the form that the edge takes, without the path that the server is mounted below. */

import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";

import { removeBasePath } from "./mount.ts";

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/** A Web request below the mount path. */
export class FetchRequest implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HttpRequest["headers"];
  readonly mountPath?: string;
  readonly isHostClaimed = true;
  readonly #request: Request;

  constructor(request: Request, basePath: string) {
    this.#request = request;
    this.method = request.method;
    this.headers = request.headers;
    this.url = request.url;
    if (basePath === "") return;
    const origin = ORIGIN.exec(request.url)?.[0] ?? "";
    this.url = origin + removeBasePath(request.url.slice(origin.length), basePath);
    this.mountPath = basePath;
  }

  /** A Web request does not give away its connection. */
  get cannotUpgrade(): boolean {
    return true;
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#request.body;
  }

  get bodyUsed(): boolean {
    return this.#request.bodyUsed;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  /** Not by `bytes`: the requests of some frameworks do not have it. */
  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.#request.arrayBuffer());
  }
}
