/** The page that lists every assumption about the real network. */

import type { Assumption } from "../packages/cli/src/doctor/network/assumption.ts";

export function toBeConfirmedPage(notice: string, assumptions: readonly Assumption[]): string {
  const probes = assumptions.filter(({ check }) => "probe" in check);
  const others = assumptions.filter(({ check }) => !("probe" in check));
  return `${notice}

# To be confirmed on the real network

The server is tested with workerd on one machine, which is the runtime of Cloudflare's network but not the network. This page
lists everything that the server takes for granted and that only a deployment can show, with the command that shows it.

## What \`doctor --network\` checks

\`\`\`sh
durable-streams doctor --network
\`\`\`

The command makes test streams whose names begin with \`doctor-\`, writes and reads them for about two minutes, deletes them, and
prints a report that can be pasted into an issue. The report names neither the server nor the project. It needs a token or a
secret that may create and delete streams. It costs about 300 requests.

${probes.map(section).join("\n\n")}

## What a person must check

In these commands, \`NAME\` stands for the Worker, \`ACCOUNT\` for the id of the account, and \`TOKEN\` for an API token with the
permission "Account Analytics: Read".

${others.map(section).join("\n\n")}
`;
}

function section({ id, assumes, otherwise, check }: Assumption): string {
  const how = "probe" in check ? "" : `\n\n\`\`\`sh\n${check.command}\n\`\`\`\n\n${check.look}`;
  return `### \`${id}\`\n\n${assumes}\n\nIf not: ${otherwise}${how}`;
}
