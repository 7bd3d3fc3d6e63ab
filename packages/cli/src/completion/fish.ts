import { PROGRAM } from "../help.ts";
import type { Node, Word } from "./tree.ts";

export function fishCompletion(tree: readonly Node[]): string {
  const lines = tree.flatMap(({ path, commands, flags }) => [...commands, ...flags].map((word) => line(path, word)));
  const paths = tree.map(({ path }) => `'${path}'`).join(" ");
  return `# ${PROGRAM} completion for fish
function __durable_streams_at
    set -l path ''
    for word in (commandline -opc)[2..]
        set -l next (string trim -- "$path $word")
        contains -- $next ${paths}; and set path $next
    end
    test "$path" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function line(path: string, { word, description }: Word): string {
  const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
  return `complete -c ${PROGRAM} -n ${quote(`__durable_streams_at ${quote(path)}`)} ${what} -d ${quote(description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
