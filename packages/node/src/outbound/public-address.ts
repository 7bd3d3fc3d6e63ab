import { BlockList, isIPv4 } from "node:net";

import { isPrivate } from "@durable-streams-cloudflare/core/outbound/url-guard";

/** The one range of IPv6 that has public addresses, without what leads elsewhere from it: tunnels, and examples. */
const UNICAST = ["2000::", 3] as const;
const NOT_PUBLIC: readonly (readonly [network: string, bits: number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const unicast = new BlockList();
unicast.addSubnet(...UNICAST, "ipv6");
const notPublic = new BlockList();
for (const [network, bits] of NOT_PUBLIC) notPublic.addSubnet(network, bits, "ipv6");

/** Whether an address, as a resolver returns it, is on the public internet. An IPv4 address in IPv6 notation is not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !isPrivate(address);
  return unicast.check(address, "ipv6") && !notPublic.check(address, "ipv6");
}
