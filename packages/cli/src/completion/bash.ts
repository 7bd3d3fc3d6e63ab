import { PROGRAM } from "../help.ts";
import type { Node } from "./tree.ts";

/** Words that begin with `-` are flags. The other words before the cursor form the path of the command. */
export function bashCompletion(tree: readonly Node[]): string {
  const cases = tree.map(({ path, commands, flags }) => {
    const words = [...commands, ...flags].map(({ word }) => word).join(" ");
    return `    '${path}') words='${words}' ;;`;
  });
  const paths = tree.map(({ path }) => `'${path}'`).join("|");
  return `# ${PROGRAM} completion for bash
_durable_streams() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' next words='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${paths}) path="$next" ;; esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _durable_streams ${PROGRAM}
`;
}
