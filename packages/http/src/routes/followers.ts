/** Routes for the manager of a source: lists its followers, and revokes links. */

import type { FollowerFilter, FollowerSetApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { retryRpc, callOnce } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { refuse, type Result } from "@durable-streams-cloudflare/protocol";

import { followerView } from "../codec/estuary.ts";

/**
 * Query parameters that select links of a source. A DELETE with one of them ends the selected links of all sessions, instead of
 * one session's own link.
 */
export const FOLLOWER_FILTERS = ["session", "kid", "user"] as const;

const PAGE_MAX = 1_000;
const PAGE = 100;

/** An authorized request about the followers of one source. */
export interface SourceCall {
  readonly project: string;
  /** The source's name within the project. */
  readonly source: string;
  /** Gets the source's follower set: a new stub with each call. */
  readonly followers: () => Pick<FollowerSetApi, "listFollowers" | "endLinks">;
  readonly query: URLSearchParams;
}

type Answered = Result<{ json: object }>;

/** Lists the source's followers, one page at a time. */
export async function listFollowers({ project, source, followers, query }: SourceCall): Promise<Answered> {
  const cursor = query.get("cursor") ?? "";
  const command = { after: cursor === "" ? "" : `${project}/${cursor}`, limit: limitOf(query) };
  const page = await retryRpc(async () => ({ ok: true, ...(await followers().listFollowers(command)) }));
  if (!page.ok) return page;
  const last = page.hasMore ? page.followers.at(-1) : undefined;
  const next = last === undefined ? null : last.session.slice(project.length + 1);
  return { ok: true, json: { source, followers: page.followers.map(followerView), cursor: next } };
}

/** Ends the links that the query selects. */
export async function endFollowers({ project, source, followers, query }: SourceCall): Promise<Answered> {
  const filter = parseFilter(project, query);
  if (filter === undefined) {
    return refuse(
      "subscription-invalid",
      "The request must select the links to end by exactly one of session, kid or user.",
      {
        hint: "Send ?session=<estuaryId>, ?kid=<kid> or ?user=<user>.",
      },
    );
  }
  const ended = await callOnce(async () => ({ ok: true, ...(await followers().endLinks(filter)) }));
  return ended.ok ? { ok: true, json: { source, ended: ended.ended } } : ended;
}

function limitOf(query: URLSearchParams): number {
  const limit = Number(query.get("limit") ?? PAGE);
  return Number.isInteger(limit) && limit >= 1 ? Math.min(limit, PAGE_MAX) : PAGE;
}

function parseFilter(project: string, query: URLSearchParams): FollowerFilter | undefined {
  const [given, ...more] = [...query].filter(([name]) => name === "session" || name === "kid" || name === "user");
  if (given === undefined || more.length > 0 || given[1] === "") return undefined;
  const [name, value] = given;
  if (name === "session") return { session: `${project}/${value}` };
  return name === "kid" ? { kid: value } : { user: value };
}
