/** What people read of a file, and which names its source uses. Positions stay: what is left out is replaced, not removed. */

export interface Found {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** The order decides: a comment may hold quotation marks, and a text what looks like a comment. */
const TOKEN =
  /(?<comment>\/\*[^]*?\*\/|\/\/[^\n]*)|(?<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<pattern>(?<=(?:[(,=:[!&|?{};>]|return)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)|(?<name>#?[A-Za-z_$][\w$]*)/g;

/** The prose of a Markdown page, or the comments of a TOML file. */
export function documentProse(path: string, text: string): string {
  if (path.endsWith(".toml")) return text.replaceAll(/^[^#\n]*(?:#(?! ))?/gm, blank);
  return text
    .replace(/^---\n[^]*?\n---\n/, blank)
    .replaceAll(/^ *(?<fence>```+)[^]*?^ *\k<fence>$/gm, blank)
    .replaceAll(/^ {4}\S.*$/gm, blank)
    .replaceAll(/`[^`\n]*`/g, filled)
    .replaceAll(/\]\([^)\s]*\)/g, blank);
}

/** The comments and texts of TypeScript, without the code in them. */
export function sourceProse(text: string): string {
  let prose = "";
  let end = 0;
  for (const { 0: token, index, groups } of text.matchAll(TOKEN)) {
    prose += blank(text.slice(end, index));
    prose += proseOf(token, groups ?? {});
    end = index + token.length;
  }
  return prose + blank(text.slice(end));
}

function proseOf(token: string, { comment, text }: Readonly<Record<string, string | undefined>>): string {
  if (comment !== undefined) {
    return token.replaceAll(/`[^`\n]*`/g, filled).replaceAll(/^\s*(?:\/\*\*?|\*\/?|\/\/)|\*\/$/gm, blank);
  }
  return text === undefined ? blank(token) : `·${token.slice(1, -1)}·`;
}

/** The names that TypeScript source uses, keywords included. */
export function namesOf(source: string): Found[] {
  const names: Found[] = [];
  let line = 1;
  let end = 0;
  for (const { 0: token, index, groups } of source.matchAll(TOKEN)) {
    line += source.slice(end, index).split("\n").length - 1;
    end = index;
    if (groups?.["name"] !== undefined) names.push({ line, text: token });
  }
  return names;
}

/** The parts of a name, in lower case, with spaces between them. */
export function partsOf(name: string): string {
  return (name.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+/g) ?? []).join(" ").toLowerCase();
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}

/** In the place of code within a sentence: its neighbours do not become neighbours of each other. */
function filled(text: string): string {
  return text.replaceAll(/[^\n]/g, "·");
}
