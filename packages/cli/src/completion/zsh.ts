import { PROGRAM } from "../help.ts";
import type { Node, Word } from "./tree.ts";

/** Works both from a folder of `fpath` and with `eval`. Avoids the names `path` and `words`, which zsh itself uses. */
export function zshCompletion(tree: readonly Node[]): string {
  const cases = tree.map(({ path, commands, flags }) => {
    const candidates = [...commands, ...flags].map(described).join(" ");
    return `    '${path}') candidates=(${candidates}) ;;`;
  });
  const paths = tree.map(({ path }) => `'${path}'`).join("|");
  return `#compdef ${PROGRAM}
compdef _${PROGRAM} ${PROGRAM}

_${PROGRAM}() {
  local at='' next word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${at:+$at }$word"
    case "$next" in (${paths}) at="$next" ;; esac
  done
  case "$at" in
${cases.join("\n")}
  esac
  _describe '${PROGRAM}' candidates
  _files
}

if [ "$funcstack[1]" = "_${PROGRAM}" ]; then _${PROGRAM} "$@"; fi
`;
}

/** `word:description`, quoted. */
function described({ word, description }: Word): string {
  return `'${`${word}:${description}`.replaceAll("'", String.raw`'\''`)}'`;
}
