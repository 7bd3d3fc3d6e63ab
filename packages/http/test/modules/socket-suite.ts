/** What holds for the sockets of a module on every host. */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import {
  newProject,
  newToken,
  withToken,
  type ClientSocket,
  type ModuleHost,
  type ModuleService,
} from "./module-suite.ts";
import { tally } from "./tally.ts";

const SOCKETS_MAX = 20;
const MESSAGE_BYTES_MAX = 1_024;

/** Collects what a client's end receives. */
export class Received {
  readonly #messages: string[] = [];
  readonly #waiting: PromiseWithResolvers<string>[] = [];
  #isOver = false;

  push(message: string): void {
    const first = this.#waiting.shift();
    if (first === undefined) this.#messages.push(message);
    else first.resolve(message);
  }

  end(): void {
    this.#isOver = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("The socket has ended."));
  }

  next(): Promise<string> {
    const known = this.#messages.shift();
    if (known !== undefined) return Promise.resolve(known);
    if (this.#isOver) return Promise.reject(new Error("The socket has ended."));
    const waiting = Promise.withResolvers<string>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }
}

export function describeSockets(host: ModuleHost): void {
  let service: ModuleService;
  let project: Awaited<ReturnType<typeof newProject>>;
  let reader = "";

  const path = (stream: string): string => `/v1/tally/${project.name}/watch/${stream}`;
  const headersOf = (token: string, more: Readonly<Record<string, string>> = {}) => ({
    Authorization: `Bearer ${token}`,
    "Sec-WebSocket-Protocol": "other, tally.v1",
    ...more,
  });
  const watch = async (stream: string): Promise<ClientSocket> => {
    const { status, socket } = await service.upgrade(path(stream), headersOf(reader));
    if (socket === undefined) throw new Error(`The socket was answered ${status}.`);
    return socket;
  };
  const newStream = async (): Promise<string> => {
    const name = crypto.randomUUID();
    const manager = await newToken(project);
    const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "text/plain" };
    await service.fetch(`/v1/stream/${project.name}/${name}`, { method: "PUT", headers });
    return name;
  };
  const add = (stream: string): Promise<Response> =>
    service.fetch(`/v1/tally/${project.name}/streams/${stream}`, withToken("GET", reader));

  beforeAll(async () => {
    service = await host.serve([tally]);
    project = await newProject(service, { corsOrigins: ["https://app.example"] });
    reader = await newToken(project, { scope: "read" });
  });

  afterAll(() => service.close());

  describe("a socket of a module's object", () => {
    it("brings what the object sends, to each client in the same order", async () => {
      const stream = await newStream();
      const [one, two] = [await watch(stream), await watch(stream)];
      expect([one.protocol, await one.next(), await two.next()]).toEqual(["tally.v1", "0", "0"]);
      one.send("add");
      await add(stream);
      two.send("add");
      for (const socket of [one, two]) {
        expect([await socket.next(), await socket.next(), await socket.next()]).toEqual(["1", "2", "3"]);
        socket.close();
      }
    });

    it("stays while its object is not in memory, with its attachment", async () => {
      const stream = await newStream();
      const socket = await watch(stream);
      expect(await socket.next()).toBe("0");
      socket.send("add");
      expect(await socket.next()).toBe("1");
      await service.hibernate();
      await add(stream);
      expect(await socket.next()).toBe("2");
      await service.hibernate();
      socket.send("bye");
      expect(await socket.closed).toEqual({ code: 4_000, reason: "2 messages" });
    });

    it("finds what was stored when the object, or the server, begins anew", async () => {
      const stream = await newStream();
      const socket = await watch(stream);
      socket.send("add");
      expect([await socket.next(), await socket.next()]).toEqual(["0", "1"]);
      socket.close();
      await socket.closed;
      await service.restart();
      const after = await watch(stream);
      expect(await after.next()).toBe("1");
      after.close();
    });

    it("answers a heartbeat without its object", async () => {
      const socket = await watch(await newStream());
      await socket.next();
      service.calls();
      socket.send("ping");
      expect(await socket.next()).toBe("pong");
      expect(service.calls()).toBe(0);
      socket.send("bye");
      expect(await socket.closed).toEqual({ code: 4_000, reason: "1 messages" });
    });

    it("takes no message above the limit", async () => {
      const socket = await watch(await newStream());
      await socket.next();
      socket.send("x".repeat(MESSAGE_BYTES_MAX));
      socket.send("add");
      expect(await socket.next()).toBe("1");
      socket.send("é".repeat(MESSAGE_BYTES_MAX / 2 + 1));
      expect(await socket.closed).toMatchObject({ code: 1009 });
    });

    it("is refused beyond the object's limit, until another one has ended", async () => {
      const stream = await newStream();
      const sockets: ClientSocket[] = [];
      while (sockets.length < SOCKETS_MAX) sockets.push(await watch(stream));
      const more = await service.upgrade(path(stream), headersOf(reader));
      expect(more).toMatchObject({ status: 503, code: "sockets-full" });
      const other = await watch(await newStream());
      other.close();
      sockets[0]?.close();
      await vi.waitFor(async () => sockets.push(await watch(stream)), { timeout: 20_000 });
      for (const socket of sockets) socket.close();
    });

    it("is refused to whoever has no right, and for no pages of others, without a call of an object", async () => {
      const stranger = await newToken(await newProject(service));
      const other = await newToken(project, { stream_id: "other" });
      const stream = await newStream();
      const ask = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
        const { status, code } = await service.upgrade(path(stream), headers);
        return [status, code];
      };
      service.calls();
      expect(await ask({})).toEqual([401, "unauthenticated"]);
      expect(await ask(headersOf("a.b.c"))).toEqual([401, "unauthenticated"]);
      expect(await ask(headersOf(stranger))).toEqual([401, "unauthenticated"]);
      expect(await ask(headersOf(other))).toEqual([403, "forbidden"]);
      expect(await ask(headersOf(reader, { Origin: "https://other.example" }))).toEqual([403, "origin-refused"]);
      expect(await ask({ Authorization: `Bearer ${reader}` })).toEqual([400, "subprotocol-unsupported"]);
      expect(service.calls()).toBe(0);
      const page = await service.upgrade(path(stream), headersOf(reader, { Origin: "https://app.example" }));
      page.socket?.close();
      expect(page.status).toBe(101);
    });

    it("is not opened by a request that does not ask for one", async () => {
      const response = await service.fetch(path("a"), withToken("GET", reader));
      expect([response.status, response.headers.get("Upgrade")]).toEqual([426, "websocket"]);
      expect(await response.json()).toMatchObject({ code: "upgrade-required" });
    });
  });
}
