/** What a column may hold. Blobs come back as `ArrayBuffer`. */
export type SqlValue = string | number | null | ArrayBuffer | Uint8Array<ArrayBuffer>;

export type Row = Record<string, SqlValue>;
