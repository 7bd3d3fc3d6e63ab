/**
 * What the browser test does in its page, which has another origin than the server. Only what survives `JSON` goes
 * in and out. The page loads this file with its types stripped.
 */
import { DurableStream, IdempotentProducer, stream, type LiveMode } from "@durable-streams/client";

const JSON_TYPE = "application/json";

export async function createAndAppend(url: string): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: JSON_TYPE });
  await Promise.all([handle.append(`{"n":1}`), handle.append(`{"n":2}`)]);
  const head = await handle.head();
  return { head, items: await (await handle.stream({ live: false })).json() };
}

/** Every message is a batch of its own, five under way at a time. */
export async function produce(url: string, count: number): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: JSON_TYPE });
  const errors: string[] = [];
  const producer = new IdempotentProducer(handle, "browser", {
    maxBatchBytes: 1,
    maxInFlight: 5,
    onError: (error) => errors.push(error.message),
  });
  for (let n = 0; n < count; n += 1) producer.append(String(n));
  await producer.close(`"end"`);
  const response = await handle.stream({ live: false });
  return { errors, items: await response.json(), streamClosed: response.streamClosed };
}

/** The browser's own reader, until the server says that there will never be more; it comes back by itself. */
export function followByEventSource(url: string): Promise<unknown> {
  const items: unknown[] = [];
  let sessions = 0;
  const write = (): Promise<unknown> =>
    fetch(url, { method: "POST", headers: { "Content-Type": JSON_TYPE }, body: String(sessions) });
  return new Promise((resolve) => {
    const source = new EventSource(`${url}?offset=-1&live=sse`);
    source.addEventListener("data", ({ data }) => items.push(...(JSON.parse(data as string) as unknown[])));
    source.addEventListener("open", () => {
      sessions += 1;
      if (sessions < 3) void write();
      else void fetch(url, { method: "POST", headers: { "Stream-Closed": "true" } });
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) resolve({ items, sessions });
    });
  });
}

/** How a producer ends whose stream was closed behind its back: one error, or requests without end. */
export async function produceAfterClose(url: string): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: JSON_TYPE });
  const errors: string[] = [];
  const onError = (error: Error): void => void errors.push(error.name);
  const producer = new IdempotentProducer(handle, "browser", { onError });
  producer.append("1");
  await producer.flush();
  await handle.close();
  producer.append("2");
  await producer.flush();
  return errors;
}

/** Reads what was there, then what comes, up to the close. */
export async function follow(url: string, live: LiveMode): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: JSON_TYPE });
  await handle.append(`"before"`);
  const response = await handle.stream({ live, warnOnHttp: false });
  const items: unknown[] = [];
  let writing: Promise<unknown> | undefined;
  response.subscribeJson((batch) => {
    items.push(...batch.items);
    if (batch.upToDate) writing ??= handle.append(`"live"`).then(() => handle.close());
  });
  await response.closed;
  await writing;
  return { items, streamClosed: response.streamClosed };
}

/** Bytes that are not text travel over SSE as base64; the client learns that from a header. */
export async function followBytes(url: string, bytes: readonly number[]): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: "application/octet-stream" });
  const response = await handle.stream({ live: "sse", warnOnHttp: false });
  const received: number[] = [];
  let writing: Promise<unknown> | undefined;
  response.subscribeBytes(({ data, upToDate }) => {
    received.push(...data);
    if (upToDate) writing ??= handle.append(Uint8Array.from(bytes)).then(() => handle.close());
  });
  await response.closed;
  await writing;
  return received;
}

export async function resume(url: string): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: "text/plain" });
  await handle.append("before ");
  const first = await handle.stream({ live: false });
  await first.text();
  await handle.append("after");
  return (await stream({ url, offset: first.offset, live: false })).text();
}

/** Status, the named headers as a script sees them, and the code of the problem. */
export async function request(
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string },
  headers: readonly string[],
): Promise<unknown> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isProblem = response.headers.get("Content-Type") === "application/problem+json";
  return {
    status: response.status,
    headers: Object.fromEntries(headers.map((name) => [name, response.headers.get(name)])),
    ...(isProblem ? { code: (JSON.parse(text) as { code: string }).code } : {}),
  };
}

/** Joins a session to a room from its beginning, and reads from the session until so many messages have come. */
export async function joinAndFollow(
  { root, project, room, session, token }: Record<"root" | "project" | "room" | "session" | "token", string>,
  count: number,
): Promise<unknown> {
  const headers = { Authorization: `Bearer ${token}` };
  const body = JSON.stringify({ estuaryId: session, from: "-1" });
  const joined = await fetch(`${root}/v1/estuary/subscribe/${project}/${room}`, { method: "POST", headers, body });
  if (!joined.ok) return joined.status;
  const { stream: path } = (await joined.json()) as { stream: string };
  const response = await stream<unknown>({ url: root + path, headers, live: "sse", offset: "-1", warnOnHttp: false });
  const items: unknown[] = [];
  return new Promise((resolve) => {
    response.subscribeJson((batch) => {
      items.push(...batch.items);
      if (items.length < count) return;
      response.cancel();
      resolve(items);
    });
  });
}

/** The browser's own reader of server-sent events, which can send no headers; ends at the close. */
export function eventSource(url: string): Promise<unknown> {
  return new Promise((resolve) => {
    const data: string[] = [];
    const source = new EventSource(`${url}?offset=-1&live=sse`);
    source.addEventListener("data", (event) => data.push(event.data as string));
    source.addEventListener("control", (event) => {
      const control = JSON.parse(event.data as string) as { streamClosed?: boolean };
      if (control.streamClosed !== true) return;
      source.close();
      resolve(data);
    });
  });
}

export async function remove(url: string): Promise<unknown> {
  const handle = await DurableStream.create({ url, contentType: JSON_TYPE });
  await handle.delete();
  return handle.head();
}

/** Whether the browser let this page read an answer. */
export async function canRead(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}
