/** Observes when the body of an answer ends, without holding it up. */

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody } from "@durable-streams-cloudflare/http/answers/pushed-body";

/** How a body ended: with its last byte, because its client left, or because the rest could not be read. */
export type BodyEnd = "complete" | "cancelled" | "failed";

/** What is told about a body. */
export interface BodyObserver {
  /** Runs whatever makes a part of the body. */
  readonly run: <T>(work: () => T) => T;
  /** May be called more than once: the first call counts. */
  readonly onEnd: (end: BodyEnd) => void;
}

/** @returns the answer to send instead. A body that is in memory has ended already. */
export function observeBody(answer: Answer, observer: BodyObserver): Answer {
  const { body } = answer;
  if (body instanceof PushedBody) return { ...answer, body: observePushed(body, observer) };
  if (body instanceof PagedBody) return { ...answer, body: observePaged(body, observer) };
  if (body instanceof ReadableStream) return { ...answer, body: observeStream(body, observer) };
  observer.onEnd("complete");
  return answer;
}

function observePushed(body: PushedBody, { run, onEnd }: BodyObserver): PushedBody {
  return new PushedBody(
    {
      start: (sink) =>
        run(() =>
          body.start({
            enqueue: (piece) => sink.enqueue(piece),
            get desiredSize() {
              return sink.desiredSize;
            },
            close: () => {
              onEnd("complete");
              sink.close();
            },
            error: (reason) => {
              onEnd("failed");
              sink.error(reason);
            },
          }),
        ),
      pull: () => {
        run(() => body.pull());
        return undefined;
      },
      cancel: () => {
        onEnd("cancelled");
        body.cancel();
      },
    },
    body.bytesMax,
  );
}

function observePaged(body: PagedBody, { run, onEnd }: BodyObserver): PagedBody {
  return new PagedBody({
    bytes: body.bytes,
    next: async () => {
      try {
        const page = await run(() => body.next());
        if (page === undefined) onEnd("complete");
        return page;
      } catch (error) {
        onEnd("failed");
        throw error;
      }
    },
    cancel: () => {
      onEnd("cancelled");
      body.cancel();
    },
    // Unknown here, so whoever keeps a page makes a copy.
    reusesMemory: true,
  });
}

function observeStream(body: ReadableStream<Uint8Array>, { run, onEnd }: BodyObserver): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await run(() => reader.read());
          if (!done) return controller.enqueue(value);
          onEnd("complete");
          controller.close();
        } catch (error) {
          onEnd("failed");
          throw error;
        }
      },
      cancel: async (reason) => {
        onEnd("cancelled");
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
