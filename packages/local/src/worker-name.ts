/** Part of the object ids and the storage paths: with another name, a data directory would look empty. */
export const WORKER_NAME = "durable-streams";
