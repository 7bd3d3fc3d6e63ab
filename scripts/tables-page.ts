/** The page of all tables, from their declarations. */

import { SCHEMAS } from "../packages/core/src/data-version.ts";
import type { Column } from "../packages/core/src/kit/sql/column.ts";
import { tablesOf, type Schema } from "../packages/core/src/kit/sql/schema.ts";
import type { AnyTable, Kind } from "../packages/core/src/kit/sql/table.ts";

const OBJECTS: Readonly<Record<Kind, string>> = {
  stream: "A stream (`StreamDO`)",
  source: "The follower set of a source (`SubscriptionDO`)",
  session: "A session (`EstuaryDO`)",
  wakes: "A subscription (`ConsumerDO`)",
  project: "A project (`ProjectDO`)",
};

export function tablesPage(notice: string): string {
  return `${notice}

# Tables

All tables of each kind of object, as the newest version of its database has them. [storage.md](storage.md) says what their
rows mean and when they are written. A column is \`NOT NULL\` unless it says so. "Since" is the
[schema version](storage.md#schema-versions) that brought a table or a column; where it is empty, the first version did.

${SCHEMAS.map(sectionOf).join("\n\n")}
`;
}

function sectionOf(schema: Schema): string {
  return `## ${OBJECTS[schema.kind]}

Version ${schema.version}.

| table | column | type | key | since |
| ----- | ------ | ---- | --- | ----- |
${tablesOf(schema).flatMap(rowsOf).join("\n")}`;
}

function rowsOf(table: AnyTable): string[] {
  const name =
    table.partition === undefined ? `\`${table.name}\`` : `\`${table.name}\`, \`${table.name}_<${table.partition}>\``;
  return Object.entries(table.columns).map(([column, declared], index) => {
    const since = Math.max(table.since, declared.since);
    const cells = [index === 0 ? name : "", `\`${column}\``, typeOf(declared), table.key.includes(column) ? "yes" : ""];
    return `| ${cells.join(" | ")} | ${since === 1 ? "" : since} |`;
  });
}

function typeOf({ type, isNullable, defaultValue, isOnlyRow }: Column): string {
  if (isOnlyRow) return `${type}, always 1`;
  const fallback = defaultValue === undefined ? "" : `, default \`${JSON.stringify(defaultValue)}\``;
  return `${type}${isNullable ? " or `NULL`" : ""}${fallback}`;
}
