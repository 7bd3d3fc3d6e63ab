/** Parses stream URLs: which project and stream a URL addresses. */

import type { PathConfig } from "@durable-streams-cloudflare/core/kit/control-path";
import { parseStreamName, refuse, RESERVED_SEGMENT, type Result } from "@durable-streams-cloudflare/protocol";

import { SINGLE_PROJECT } from "../auth/static-project.ts";

/** A stream that a URL addresses. */
export interface Target {
  readonly project: string;
  /** Decoded and normalised, without a leading slash. */
  readonly stream: string;
  /** The name of the stream's object. */
  readonly objectName: string;
}

/** Whether a path, as received, is below the root of streams, or is that root. */
export function isStreamPath(path: string, { streamRoot }: Pick<PathConfig, "streamRoot">): boolean {
  return path.startsWith(streamRoot) || `${path}/` === streamRoot;
}

/**
 * Parses a URL below the root of streams.
 * @param url of the request as received. `new URL` would already have resolved `..`.
 */
export function parseTarget(url: string, config: PathConfig): Result<Target> {
  return parseTargetPath(rawPath(url), config);
}

/** Like `parseTarget`, for a path that is percent-encoded as in a URL. It must be below the root of streams. */
export function parseTargetPath(path: string, { tenancy, streamRoot }: PathConfig): Result<Target> {
  if (path === streamRoot || `${path}/` === streamRoot) {
    return refuse("path-invalid", "The path does not name a stream.", { hint: `Use ${streamRoot}<stream>.` });
  }
  if (!path.startsWith(streamRoot)) return refuse("route-not-found", `The URLs of streams begin with ${streamRoot}.`);
  const parsed = parseStreamName(path.slice(streamRoot.length));
  if (!parsed.ok) return refuse(parsed.reason === "too-long" ? "path-too-long" : "path-invalid", parsed.detail);
  const [project, segments] =
    tenancy === "single" ? [SINGLE_PROJECT, parsed.segments] : [parsed.segments[0] ?? "", parsed.segments.slice(1)];
  if (segments.length === 0) {
    return refuse("path-invalid", "The path names a project but no stream.", {
      hint: `Use ${streamRoot}<project>/<stream>, or set TENANCY=single.`,
    });
  }
  if (segments[0] === RESERVED_SEGMENT || project === RESERVED_SEGMENT) {
    return refuse("path-reserved", `${RESERVED_SEGMENT} is reserved for subscriptions.`);
  }
  const stream = segments.join("/");
  return { ok: true, project, stream, objectName: `${project}/${stream}` };
}

/** Like `parseTarget`, for a project and a stream that are separate parameters of a path, percent-encoded as received. */
export function parseNamedTarget(project: string, stream: string, config: PathConfig): Result<Target> {
  const name = config.tenancy === "single" ? stream : `${project}/${stream}`;
  return parseTargetPath(config.streamRoot + name, config);
}

/** The path of a stream, percent-encoded. */
export function streamPathOf(project: string, stream: string, { tenancy, streamRoot }: PathConfig): string {
  const segments = [...(tenancy === "single" ? [] : [project]), ...stream.split("/")];
  return streamRoot + segments.map(encodeURIComponent).join("/");
}

/** The path of a URL, with percent-encoding and dot segments unchanged. */
export function rawPath(url: string): string {
  const afterScheme = url.indexOf("://") + 3;
  const start = url.indexOf("/", afterScheme);
  if (start < 0) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}
