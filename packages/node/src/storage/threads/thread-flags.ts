/** The flags of Node.js that the threads of this server get from the program that it is part of. */

const PRELOAD = /^(?:-r|--require|--import)$/;
const PRELOAD_OF = /^--(?:require|import)=/;

/**
 * Only what is preloaded counts in threads, too. They would inherit all other flags, such as `--input-type`, with which a file
 * cannot be run.
 */
export function threadFlags(flags: readonly string[] = process.execArgv): string[] {
  return flags.filter(
    (flag, index) => PRELOAD.test(flag) || PRELOAD_OF.test(flag) || PRELOAD.test(flags[index - 1] ?? ""),
  );
}
