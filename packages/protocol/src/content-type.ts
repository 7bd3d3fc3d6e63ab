/** Media types [PROTOCOL §9, RFC 9110 §8.3]. */

/** What a stream has when its creator names no type [PROTOCOL §5.1]. */
export const DEFAULT_CONTENT_TYPE = "application/octet-stream";

const LENGTH_MAX = 255;
// type "/" subtype, then anything that has no control character: parameters are kept, never interpreted.
const CONTENT_TYPE_PATTERN =
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*(?:;[\t\x20-\x7e\x80-\uffff]*)?$/;

/** How the bytes of a stream are framed: JSON messages, or plain bytes. */
export type Framing = "json" | "bytes";

/** Whether the text is a usable `Content-Type`, at most 255 characters. */
export function isContentType(text: string): boolean {
  return text.length <= LENGTH_MAX && CONTENT_TYPE_PATTERN.test(text);
}

/** `type/subtype` in lower case, without parameters: what equality of content types is decided on. */
export function mediaType(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

/**
 * The type of a stream, as responses other than SSE spell it: as its creator did, except for `text/event-stream`. Official
 * clients take any response whose type contains these letters in lower case for the server's own events, and would read a
 * stream of stored events as empty. Media types are case-insensitive [RFC 9110 §8.3.1].
 */
export function spelledForReaders(contentType: string): string {
  return mediaType(contentType) === EVENT_STREAM ? contentType.replace(EVENT_STREAM, "Text/Event-Stream") : contentType;
}

const EVENT_STREAM = "text/event-stream";

/**
 * Whether a body of one type may be added to a stream of another. Parameters say nothing, but for the boundary of
 * `multipart/*`: without the one that its reader knows, the body has no parts.
 */
export function isAppendable(sent: string, streamType: string): boolean {
  if (mediaType(sent) !== mediaType(streamType)) return false;
  const boundary = boundaryOf(sent);
  return !mediaType(sent).startsWith("multipart/") || boundary === undefined || boundary === boundaryOf(streamType);
}

function boundaryOf(contentType: string): string | undefined {
  const [, quoted, token] = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^";\s]+))/i.exec(contentType) ?? [];
  return quoted ?? token;
}

/** JSON mode is for exactly `application/json`; `application/foo+json` is bytes [PROTOCOL §9.1]. */
export function framingOf(contentType: string): Framing {
  return mediaType(contentType) === "application/json" ? "json" : "bytes";
}

/** Text is UTF-8 unless its type says otherwise; ASCII is a part of it. */
export function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1];
  return charset === undefined || /^(?:utf-?8|us-ascii)$/i.test(charset);
}

/** Whether SSE carries the data as UTF-8 text; everything else goes as base64 [PROTOCOL §5.8]. */
export function isTextual(contentType: string): boolean {
  const type = mediaType(contentType);
  return type.startsWith("text/") || type === "application/json";
}
