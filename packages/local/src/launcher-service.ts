/** Answers the Worker's requests about the disk. They come through the binding `LAUNCHER`, which no client can reach. */

import { BlobSync } from "./blob-sync.ts";
import { removeDamagedStream } from "./damaged-objects.ts";
import { DiskSpace } from "./disk-space.ts";

/** `worker/launcher.ts` makes these requests. */
export function launcherService(dataDir: string): (request: { method: string; url: string }) => Promise<Response> {
  const blobs = new BlobSync(dataDir);
  const disk = new DiskSpace(dataDir);
  return async ({ method, url }) => {
    switch (`${method} ${new URL(url).pathname}`) {
      case "GET /storage":
        return Response.json(await disk.check());
      case "POST /sync-blobs":
        await blobs.sync();
        return new Response(null, { status: 204 });
      case "POST /remove-damaged-stream":
        return new Response(null, { status: removeDamagedStream(dataDir, idIn(url)) ? 204 : 409 });
      default:
        return new Response(null, { status: 404 });
    }
  };
}

function idIn(url: string): string {
  return new URL(url).searchParams.get("id") ?? "";
}
