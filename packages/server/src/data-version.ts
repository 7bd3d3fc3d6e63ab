/** What stored data looks like, for hosts that must not run on the data of a newer server. No types of Workers in here. */

/** The newest version of each kind of database that this server reads and writes. */
export const DATA_VERSIONS: Readonly<Record<string, number>> = { stream: 7, subscription: 2, estuary: 2 };
