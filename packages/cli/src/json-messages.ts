/**
 * Cuts what a JSON stream answers (arrays, one after the other) into its messages, as it comes. The text of a message is
 * kept as its writer sent it, so `1.0` and `12345678901234567890` survive; only line breaks between its tokens go, for one
 * message is to be one line.
 */
export class JsonMessages {
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Of a message whose end has not come yet. */
  #pending = "";

  /** The messages that are complete with this. */
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

  /** Whether a message ends or an array begins here. */
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
