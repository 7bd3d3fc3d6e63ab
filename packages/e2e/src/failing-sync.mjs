/** Preloaded into all threads of a server: its syncs fail, as on a broken disk, while the file named by `SYNCS_FAIL` exists. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { fdatasyncSync } = fs;
fs.fdatasyncSync = (fd) => {
  if (fs.existsSync(process.env.SYNCS_FAIL))
    throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  fdatasyncSync(fd);
};
syncBuiltinESMExports();
