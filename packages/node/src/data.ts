/** Works on data directories of servers that are not this process. */

export { snapshot } from "./storage/backup/snapshot.ts";
export { makeDirectory, syncDirectory } from "./storage/folders.ts";
export { reshard, type Resharded } from "./storage/reshard/reshard.ts";
export { StorageError } from "./storage/storage-error.ts";
export { NewDirectory } from "./storage/takeover/new-directory.ts";
