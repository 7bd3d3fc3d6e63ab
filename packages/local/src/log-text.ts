/** Messages for Cloudflare's own operators, which may begin with a place in workerd's code and a severity. */
const FOR_CLOUDFLARE = /^(?:\S+:\d+: (?:\w+: )?)?NOSENTRY /;

/** workerd refuses CONNECT itself, but logs each as a fault of the Worker: clients must not be able to fill the log. */
const ABOUT_CONNECT = /a connect event but we lack a handler|does not export a connect\(\) function/;

/** The text to print for a message of workerd or of the Worker: the whole message with a line feed, or nothing. */
export function logText(message: string): string {
  return FOR_CLOUDFLARE.test(message) || ABOUT_CONNECT.test(message) ? "" : `${message}\n`;
}
