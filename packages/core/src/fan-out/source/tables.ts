/**
 * The tables of a source's follower set.
 *
 * Table `source`: one row. How far the source has been delivered to all links that keep up, and with which token it sends
 * notifications. Written once for each page that is delivered, and once for some hundreds of links on the way.
 *
 * Table `links`: one row per link. Key: the session's full name, the link's number. Written when the link begins, ends,
 * falls behind and has caught up; a delivery to a link that keeps up writes none. `position` is null while the link keeps
 * up: it then stands where `source` says, or at its own beginning if that is later. `until`: the session has unsubscribed,
 * and gets what was published before. `failures`, `retry_at_ms`: of a link that has fallen behind. `kid`, `user`,
 * `expires_at_ms`:
 * the grant, null where there is none or it has no end. `ended`: why the link brings nothing more; the session does not know
 * yet.
 *
 * Table `link_keys`: one row per key that has made links here. The project knows of it; `ended`: none are made by it any more.
 *
 * Table `unwanted`: links that were taken back before they were made. The call that makes one may be late: it is refused.
 */

import type { LinkEnd, LinkFormat } from "../../contracts/fan-out.ts";
import { integer, nullable, onlyRow, since, text } from "../../kit/sql/column.ts";
import { schema } from "../../kit/sql/schema.ts";
import { table } from "../../kit/sql/table.ts";

export const sourceTable = table({
  kind: "source",
  name: "source",
  columns: { id: onlyRow(), facts: text() },
  key: ["id"],
});

export const linksTable = table({
  kind: "source",
  name: "links",
  columns: {
    session: text(),
    link: integer(),
    session_incarnation: integer(),
    format: text<LinkFormat>(),
    incarnation: integer(),
    start: integer(),
    start_offset: text(),
    until: nullable(integer()),
    position: nullable(integer()),
    failures: integer(0),
    retry_at_ms: integer(0),
    kid: since(2, nullable(text())),
    user: since(2, nullable(text())),
    expires_at_ms: since(2, nullable(integer())),
    since_ms: since(2, nullable(integer())),
    ended: since(2, nullable(text<LinkEnd>())),
  },
  key: ["session", "link"],
  indexes: {
    links_behind: { columns: ["retry_at_ms"], where: "position IS NOT NULL" },
    links_expiring: { columns: ["expires_at_ms"], where: "expires_at_ms IS NOT NULL AND ended IS NULL" },
  },
});

export const unwantedTable = table({
  kind: "source",
  name: "unwanted",
  columns: { session: text(), link: integer(), until_ms: integer() },
  key: ["session", "link"],
});

export const linkKeysTable = table({
  kind: "source",
  name: "link_keys",
  columns: { kid: text(), ended: integer(0) },
  key: ["kid"],
  since: 2,
});

export const LINK_SCHEMA = schema({
  kind: "source",
  together: [sourceTable, linksTable, unwantedTable, linkKeysTable],
});
