/** The ports that a stream needs from its host; tests supply their own. */

import type { Refusal } from "@durable-streams-cloudflare/protocol";

import type { SourceNotification } from "../contracts/fan-out.ts";
import type { StreamReport } from "../contracts/project.ts";
import type { ReaderSlotsRequest } from "../contracts/reader-slots.ts";
import type { PeerApi } from "../contracts/stream.ts";
import type { StreamNotification } from "../contracts/wakes.ts";
import type { Database } from "../kit/database.ts";
import type { SegmentStore } from "../log/segment-store.ts";
import type { LiveReaders } from "./read/live-readers.ts";

/** The part of the project's object that streams call. */
export interface DirectoryApi {
  /**
   * @returns how many bytes the stream may store; `null`: as many as it likes.
   * @throws when the directory cannot be notified now.
   */
  note(report: StreamReport): Promise<number | null>;
}

/** Storage with a limit for all objects together. */
export interface SharedStorage {
  /** Whether there is no room for so many bytes more; if there is, they count as stored. */
  isFullFor(bytes: number): boolean;
  /** What an append is answered for which there is no room. */
  refuse(): Refusal;
}

export interface StreamHost {
  readonly database: Database;
  readonly readers: LiveReaders;
  /** Where cold segments are kept; without it everything stays in the object. */
  readonly segments: SegmentStore | undefined;
  /** The stream's own full name. */
  readonly name: string;
  /** Where the project's streams are listed; `undefined`: nowhere. */
  readonly directory?: DirectoryApi | undefined;
  /**
   * Asks the project how many readers may wait; `null`: as many as the stream likes.
   * @throws when the project does not answer.
   */
  requestReaderSlots?: ((request: Omit<ReaderSlotsRequest, "stream">) => Promise<number | null>) | undefined;
  /** Resolves a moment later, when others have had their turn. Tests may go on at once. */
  pause?(): Promise<unknown>;
  /** Notifies the stream's subscription; the token by which it wants to be notified, `null` when not. */
  notifyFollowers?: ((notification: SourceNotification | null) => Promise<number | null>) | undefined;
  /** Notifies a subscription that the stream has grown. @returns whether it wants further notifications. */
  notifySubscription(consumer: string, notification: StreamNotification): Promise<boolean>;
  /** The object of another stream, by its full name. */
  peer(name: string): PeerApi;
  /** A random id, never twice the same. */
  newId(): string;
  /** At least 0, less than 1. */
  random(): number;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
  /** What the object stores, in bytes. */
  databaseBytes(): number;
  /** The storage that all objects of the server share, where that has a limit of its own. */
  readonly sharedStorage?: SharedStorage | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** The same by a clock that never goes back, which dates incarnations; by default `now`. */
  forwardNow?(): number;
  /** Resolves when the requests that have come meanwhile were seen to: for work that no client waits for. */
  nextTurn(): Promise<void>;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** Deletes all that is stored, alarm included, to the last byte. */
  purge(): Promise<void>;
  /** Asks for `Stream.alarm` at an instant, in ms; replaces an earlier wish. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
}
