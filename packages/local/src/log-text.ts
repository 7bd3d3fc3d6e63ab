/** What workerd notes for Cloudflare's own operators: perhaps behind the place in its code and a severity. */
const FOR_CLOUDFLARE = /^(?:\S+:\d+: (?:\w+: )?)?NOSENTRY /;

/** workerd refuses CONNECT by itself, and tells of each as of a fault of the Worker: strangers must not fill the log. */
const ABOUT_CONNECT = /a connect event but we lack a handler|does not export a connect\(\) function/;

/** What of a message of workerd, or of the Worker, is shown: all of it with a line feed, or nothing. */
export function logText(message: string): string {
  return FOR_CLOUDFLARE.test(message) || ABOUT_CONNECT.test(message) ? "" : `${message}\n`;
}
