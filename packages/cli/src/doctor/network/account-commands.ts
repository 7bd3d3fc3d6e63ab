/** Commands that ask Cloudflare about the account. Whoever runs them fills in the words in capital letters. */

/** What the Worker's objects used on one day, for each class. They cannot be asked for by the Worker's name. */
export function objectUse(sums: string): string {
  return analytics(`durableObjectsPeriodicGroups${DAY} { dimensions { namespaceId } sum { ${sums} } }`);
}

/** What the Worker's own invocations used on one day. */
export function workerUse(sums: string): string {
  return analytics(`workersInvocationsAdaptive${DAY} { dimensions { scriptName } sum { ${sums} } }`);
}

const DAY = '(limit: 100, filter: {date: \\"YYYY-MM-DD\\"})';

function analytics(groups: string): string {
  const query = `{ viewer { accounts(filter: {accountTag: \\"ACCOUNT\\"}) { ${groups} } } }`;
  return `curl https://api.cloudflare.com/client/v4/graphql -H "Authorization: Bearer TOKEN" --json '{"query": "${query}"}'`;
}
