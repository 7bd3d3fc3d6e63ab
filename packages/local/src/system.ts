import { EXIT, Failure } from "./failure.ts";

/**
 * workerd is started by a shell script, and spoken to by a Unix socket.
 * @throws Failure where there is neither.
 */
export function checkSystem(platform: NodeJS.Platform = process.platform): void {
  if (platform !== "win32") return;
  throw new Failure(
    "On Windows the server runs in WSL only.",
    "install WSL, and run the same command there: https://learn.microsoft.com/windows/wsl/install",
    EXIT.usage,
  );
}
