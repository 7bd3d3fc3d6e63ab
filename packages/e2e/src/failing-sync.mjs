/** Preloaded into a server, in all of its threads: its syncs fail as those of a broken disk while the file `SYNCS_FAIL` exists. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { fdatasyncSync } = fs;
fs.fdatasyncSync = (fd) => {
  if (fs.existsSync(process.env.SYNCS_FAIL))
    throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  fdatasyncSync(fd);
};
syncBuiltinESMExports();
