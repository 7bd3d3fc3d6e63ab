/** The name is part of the object ids and the storage paths: under another name, a data directory would look empty. */
export const WORKER_NAME = "durable-streams";
