/** File systems that a test mounts, where it may: a superuser's only. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let isAllowed: boolean | undefined;

/** Says aloud when it is not, because then tests are skipped. */
export function isAllowedToMount(): boolean {
  if (isAllowed !== undefined) return isAllowed;
  const probe = mkdtempSync(join(tmpdir(), "mount-"));
  isAllowed = run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]);
  if (isAllowed) unmount(probe);
  else
    process.stderr.write(
      "! This user may not mount file systems: the tests of full and read-only disks are skipped.\n",
    );
  rmSync(probe, { recursive: true, force: true });
  return isAllowed;
}

/** A file system in memory of so many megabytes. */
export function mountSmall(path: string, megabytes: number): void {
  mkdirSync(path, { recursive: true });
  if (!run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=700`, "tmpfs", path]))
    throw new Error(`${path} was not mounted.`);
}

export function mountReadOnly(path: string): void {
  const isMounted = run("mount", ["--bind", path, path]) && run("mount", ["-o", "remount,ro,bind", path]);
  if (!isMounted) throw new Error(`${path} was not mounted.`);
}

/** Where nothing is mounted, this does nothing. */
export function unmount(path: string): void {
  run("umount", [path]);
}

function run(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args).status === 0;
}
