/**
 * Splits the responses of a JSON stream (one array after the other) into messages while they arrive. The text of a message is
 * kept as its writer sent it, so `1.0` and `12345678901234567890` survive. Only line breaks between its tokens are removed, so
 * that each message is one line.
 */
export class JsonMessages {
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The beginning of a message that is not complete yet. */
  #pending = "";

  /** Returns the messages that this text completes. */
  push(text: string): string[] {
    const messages: string[] = [];
    let start = 0;
    for (let index = 0; index < text.length; index += 1) {
      const isBoundary = this.#isBoundary(text[index] ?? "");
      if (!isBoundary) continue;
      const message = (this.#pending + text.slice(start, index)).replaceAll(/[\r\n]+/g, " ").trim();
      if (message !== "") messages.push(message);
      this.#pending = "";
      start = index + 1;
    }
    if (this.#depth > 0) this.#pending += text.slice(start);
    return messages;
  }

  /** Whether a message ends or an array begins at this character. */
  #isBoundary(character: string): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (character === "\\") this.#escaped = true;
      else if (character === '"') this.#inString = false;
      return false;
    }
    if (character === '"') this.#inString = true;
    if (character === "[" || character === "{") return (this.#depth += 1) === 1;
    if (character === "]" || character === "}") return (this.#depth -= 1) === 0;
    return character === "," && this.#depth === 1;
  }
}
