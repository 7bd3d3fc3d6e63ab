/** The verified user behind each of several appends, in the order of the appends; null where no user is known. */
export type Authors = readonly (string | null)[];
