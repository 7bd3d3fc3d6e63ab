/** Parses the paths below a project's `__ds` [PROTOCOL §6]. */

import type { PathConfig } from "@durable-streams-cloudflare/core/kit/control-path";
import { parseStreamName, RESERVED_SEGMENT } from "@durable-streams-cloudflare/protocol";

import { SINGLE_PROJECT } from "../auth/static-project.ts";

/** A parsed path below `__ds`. */
export interface ControlPath {
  readonly project: string;
  /**
   * The decoded segments below `__ds`. Everything after `streams/` is one segment, because its slashes may be percent-encoded.
   */
  readonly segments: readonly string[];
}

/**
 * Parses a path.
 * @param path as received; it may be a stream's.
 * @returns `undefined` if the path is not below `__ds`, or is malformed.
 */
export function parseControlPath(path: string, { tenancy, streamRoot }: PathConfig): ControlPath | undefined {
  if (!path.startsWith(streamRoot)) return undefined;
  const raw = path.slice(streamRoot.length).split("/");
  const project = tenancy === "single" ? SINGLE_PROJECT : projectOf(raw.shift() ?? "");
  const [reserved = "", ...rest] = raw;
  if (project === undefined || decode(reserved) !== RESERVED_SEGMENT) return undefined;
  const segments = [...rest.slice(0, 3), ...(rest.length > 3 ? [rest.slice(3).join("/")] : [])].map(decode);
  return segments.every((segment) => segment !== undefined) ? { project, segments } : undefined;
}

function projectOf(raw: string): string | undefined {
  const parsed = parseStreamName(raw);
  return parsed.ok && parsed.segments.length === 1 && parsed.name !== RESERVED_SEGMENT ? parsed.name : undefined;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
