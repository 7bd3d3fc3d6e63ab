/** The values that a column may hold. Blobs are read as `ArrayBuffer`. */
export type SqlValue = string | number | null | ArrayBuffer | Uint8Array<ArrayBuffer>;

export type Row = Record<string, SqlValue>;
