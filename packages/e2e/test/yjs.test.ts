/**
 * Documents of `@durable-streams/y-durable-streams` on this server. Its compactor reads what follows a snapshot at the
 * snapshot's offset plus one, an offset that no append ends at.
 */
import { YjsProvider } from "@durable-streams/y-durable-streams";
import { YjsServer } from "@durable-streams/y-durable-streams/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc } from "yjs";

import { get } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

/** Bytes of updates after which the server of documents makes a snapshot. */
const COMPACTION_BYTES = 2_000;
const HANGING_MS = 60_000;

const server = useServer();
let documents: YjsServer;
let opened: (() => void)[] = [];
let names = 0;

beforeEach(async () => {
  // It logs each compaction on the console, and of requests that end with the server or the editor.
  for (const method of ["log", "error"] as const) vi.spyOn(console, method).mockReturnValue(undefined);
  documents = await documentServer();
});

afterEach(async () => {
  for (const close of opened) close();
  opened = [];
  await documents.stop();
  vi.restoreAllMocks();
});

async function documentServer(): Promise<YjsServer> {
  const started = new YjsServer({ dsServerUrl: server.url, compactionThreshold: COMPACTION_BYTES });
  await started.start();
  return started;
}

interface Editor {
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly provider: YjsProvider;
  text(): string;
  /** Adds text at the end, in an update of its own, and waits until it is stored. */
  write(text: string): Promise<void>;
}

async function open(docId: string, liveMode: "sse" | "long-poll" = "sse"): Promise<Editor> {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const provider = new YjsProvider({ doc, awareness, docId, baseUrl: `${documents.url}/v1/yjs/test`, liveMode });
  opened.push(() => {
    provider.destroy();
    awareness.destroy();
    doc.destroy();
  });
  await vi.waitFor(() => expect(provider.synced).toBe(true), HANGING_MS);
  const body = doc.getText("body");
  return {
    doc,
    awareness,
    provider,
    text: () => body.toJSON(),
    write: async (text) => {
      body.insert(body.length, text);
      await provider.flush();
    },
  };
}

function newDocument(): string {
  return `doc-${(names += 1)}`;
}

/** Writes until the document has been compacted once more, and waits for it. @returns the snapshot's offset. */
async function compact(editor: Editor, docId: string, before = ""): Promise<string> {
  for (let part = 0; part < 5; part += 1) await editor.write(`${part} `.repeat(300));
  return vi.waitFor(async () => {
    const index = await get(`${server.url}/v1/stream/yjs/test/docs/${docId}/.index?offset=-1`);
    const entries = index.status === 200 ? (JSON.parse(index.text) as { snapshotOffset: string }[]) : [];
    const newest = entries.at(-1)?.snapshotOffset ?? "";
    expect(newest > before).toBe(true);
    return newest;
  }, HANGING_MS);
}

async function expectSame(...editors: readonly Editor[]): Promise<void> {
  const [first, ...others] = editors;
  for (const other of others) await vi.waitFor(() => expect(other.text()).toBe(first?.text()), HANGING_MS);
}

describe("a document that has been compacted", () => {
  it.each(["sse", "long-poll"] as const)("opens for who comes late, and edits go both ways (%s)", async (liveMode) => {
    const docId = newDocument();
    const writer = await open(docId);
    await compact(writer, docId);
    const late = await open(docId, liveMode);
    await expectSame(writer, late);
    await writer.write("after the snapshot");
    await late.write(" and back");
    await vi.waitFor(() => expect(writer.text()).toContain("and back"), HANGING_MS);
    await expectSame(writer, late);
    expect(late.text()).toContain("after the snapshot");
    const later = await open(docId, liveMode);
    await expectSame(writer, later);
  });

  it("is compacted again and again, each time opening with all that was written", async () => {
    const docId = newDocument();
    const writer = await open(docId);
    let offset = "";
    for (let time = 0; time < 3; time += 1) {
      offset = await compact(writer, docId, offset);
      await expectSame(writer, await open(docId));
    }
  });

  it("opens after restarts of both servers, and goes on", async () => {
    const docId = newDocument();
    const before = await open(docId);
    const offset = await compact(before, docId);
    await before.write("a last word");
    const text = before.text();
    before.provider.destroy();
    await documents.stop();
    await server.restart();
    documents = await documentServer();
    const after = await open(docId);
    await vi.waitFor(() => expect(after.text()).toBe(text), HANGING_MS);
    await compact(after, docId, offset);
    await expectSame(after, await open(docId));
  });

  it("shows who is there", async () => {
    const docId = newDocument();
    const writer = await open(docId);
    await compact(writer, docId);
    const late = await open(docId);
    late.awareness.setLocalStateField("user", "late");
    const users = (): unknown[] => [...writer.awareness.getStates().values()].map((state) => state["user"] as unknown);
    await vi.waitFor(() => expect(users()).toContain("late"), HANGING_MS);
  });
});
