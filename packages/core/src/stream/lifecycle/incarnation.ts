/**
 * Mints incarnations: the number that identifies one creation of a stream, in all its offsets and entity tags. It has sixteen
 * digits: the second of the creation, and six random ones (`docs/adr/0006-incarnations.md` says why).
 */

import type { StreamHost } from "../host.ts";

/** How many incarnations a second has. 2^53 then lasts until the year 2255. */
const PER_SECOND = 1_000_000;

/** An instant, in ms, before which an incarnation was not minted; one that had to be greater than another looks younger. */
export function mintedAfterMs(incarnation: number): number {
  return (Math.floor(incarnation / PER_SECOND) - 1) * 1000;
}

/** The instant that a new incarnation is dated with. */
export function datingMs(host: Pick<StreamHost, "now" | "forwardNow">): number {
  return host.forwardNow?.() ?? host.now();
}

/**
 * @param random at least 0, less than 1.
 * @param floor the new one is greater: the last that was known at this URL, and a fork's source's. It goes on from there
 * by a random step, so that the forks of one source in one second differ too.
 */
export function mintIncarnation(nowMs: number, random: number, floor: number): number {
  const draw = Math.floor(random * PER_SECOND);
  const minted = Math.floor(nowMs / 1000) * PER_SECOND + draw;
  return minted > floor ? minted : floor + 1 + draw;
}
