/** Opens the sockets of modules' objects, and passes on what happens to them. */

import {
  OBJECT_FAILED,
  refuseMoreSockets,
  type SocketMessage,
  type SocketOpening,
} from "@durable-streams-cloudflare/http/modules/socket";
import { refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type { Behaviour, Instance } from "../instance.ts";
import { ObjectSocket, type WithSockets } from "./object-socket.ts";
import type { SocketLists } from "./socket-lists.ts";

/** Where the sockets of one object are. */
export interface SocketPlace {
  readonly lists: SocketLists;
  /** The kind and name of the object. */
  readonly object: string;
  /** The instance of the object, which is loaded if it is not in memory. */
  readonly load: () => Instance;
  /** Reports a failure that no caller learns of. */
  readonly report: (message: string, error: unknown) => void;
}

/**
 * Opens a socket to an object. It is handed its connection when the answer has been sent.
 * @throws WriteLostError if something that the object has written was lost.
 */
export async function openSocket(place: SocketPlace, opening: SocketOpening): Promise<Result<{ end: ObjectSocket }>> {
  const { lists, object } = place;
  if (lists.isClosing) return refuse("unavailable", "The server is closing.", { headers: { "Retry-After": "5" } });
  const instance = place.load();
  const { events, limits } = socketsOf(instance.behaviour);
  let socket: ObjectSocket | undefined;
  try {
    return await instance.enter(async () => {
      const admitted = (await events.admit?.(opening)) ?? { ok: true };
      if (!admitted.ok) return admitted;
      if (lists.countOf(object) >= limits.max) return refuseMoreSockets(limits);
      socket = new ObjectSocket(opening, limits, instance, {
        onMessage: async (from, message) => {
          const { heartbeat } = limits;
          if (message === heartbeat?.request) return from.answer(heartbeat.response);
          await pass(place, from, message);
        },
        onEnded: (ended, code, reason) => lists.delete(object, ended, tellEnded(place, ended, code, reason)),
      });
      lists.add(object, socket);
      events.opened?.(socket);
      return { ok: true, end: socket };
    });
  } catch (error) {
    socket?.ended();
    throw error;
  }
}

async function pass({ load, report }: SocketPlace, socket: ObjectSocket, message: SocketMessage): Promise<void> {
  try {
    const instance = load();
    socket.gate = instance;
    await instance.enter(() => socketsOf(instance.behaviour).events.message(socket, message));
  } catch (error) {
    report("An object could not take a message from its socket.", error);
    socket.end(OBJECT_FAILED, "The server failed.");
  }
}

async function tellEnded(
  { load, report }: SocketPlace,
  socket: ObjectSocket,
  code: number,
  reason: string,
): Promise<void> {
  try {
    const instance = load();
    await instance.enter(() => socketsOf(instance.behaviour).events.closed?.(socket, code, reason));
  } catch (error) {
    report("An object could not be told that its socket has ended.", error);
  }
}

function socketsOf({ sockets }: Behaviour): WithSockets {
  if (sockets === undefined) throw new Error("The object has no sockets.");
  return sockets;
}
