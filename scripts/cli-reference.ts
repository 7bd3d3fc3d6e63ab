/** Generates the reference of all commands as Markdown, from their help texts. */

import { examplesOf, PROGRAM } from "../packages/cli/src/help.ts";
import { buildProgram } from "../packages/cli/src/program.ts";

type Command = ReturnType<typeof buildProgram>;

/** One section for each command that can be run, in the order of the help. */
export function commandReference(): string {
  const unused = { write: () => true } as unknown as NodeJS.WritableStream & NodeJS.ReadableStream;
  const io = { env: {}, cwd: "/", stdin: unused, stdout: unused, stderr: unused, signal: new AbortController().signal };
  const program = buildProgram(io as unknown as Parameters<typeof buildProgram>[0], () => undefined);
  return leavesOf(program).map(section).join("\n");
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

function section(command: Command): string {
  const name = nameOf(command);
  const aliases = command.aliases().map((alias) => ` Also \`${alias}\`.`);
  const options = command.options.map(({ flags, description, defaultValue, argChoices }) => {
    const choices = argChoices === undefined ? "" : ` (${argChoices.join(", ")})`;
    const byDefault =
      defaultValue === undefined || defaultValue === "" || typeof defaultValue === "boolean"
        ? ""
        : ` (default: ${[defaultValue].flat().join(" ")})`;
    return `| \`${flags}\` | ${plain(description + choices + byDefault)} |`;
  });
  const table = options.length === 0 ? "" : `\n| option | meaning |\n| --- | --- |\n${options.join("\n")}\n`;
  const examples = examplesOf(command).join("\n");
  return `## \`${name}\`

${capitalised(plain(command.description()))}.${aliases.join("")}

    ${`${PROGRAM} ${name} ${command.usage()}`.trimEnd()}
${table}
\`\`\`sh
${examples}
\`\`\`
`;
}

function nameOf(command: Command): string {
  const parent = command.parent?.parent;
  return parent === null || parent === undefined ? command.name() : `${command.parent?.name()} ${command.name()}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Escapes what Markdown would interpret. */
function plain(text: string): string {
  return text.replaceAll(/[*<|]/g, String.raw`\$&`);
}
