/** Who wrote each of some appends, in their order: the verified user of a token, or null where nobody is known. */
export type Authors = readonly (string | null)[];
