/** What workerd notes for Cloudflare's own operators: perhaps behind the place in its code and a severity. */
const FOR_CLOUDFLARE = /^(?:\S+:\d+: (?:\w+: )?)?NOSENTRY /;

/** What of a message of workerd, or of the Worker, is shown: all of it with a line feed, or nothing. */
export function logText(message: string): string {
  return FOR_CLOUDFLARE.test(message) ? "" : `${message}\n`;
}
