import { readFileSync } from "node:fs";

import { Failure } from "./failure.ts";

/** The same seen from `src` and from `dist`. */
const MANIFEST = new URL("../package.json", import.meta.url);

/** @returns how to install workerd, where the error says that it or what controls it is not installed. */
export function missingRuntime(error: unknown): Failure | undefined {
  const { peerDependencies } = JSON.parse(readFileSync(MANIFEST, "utf8")) as {
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  const names = Object.keys(peerDependencies);
  if (!(error instanceof Error && "code" in error)) return undefined;
  if (error.code !== "ERR_MODULE_NOT_FOUND" && error.code !== "MODULE_NOT_FOUND") return undefined;
  if (!names.some((name) => error.message.includes(`'${name}'`))) return undefined;
  const packages = names.map((name) => `${name}@${peerDependencies[name]}`);
  // In the repository, the versions are in its catalog.
  const isClone = names.some((name) => !/^\d/.test(peerDependencies[name] ?? ""));
  return new Failure(
    "The engine workerd is not installed. The engine node, which is the default, does not need it.",
    isClone
      ? "run npm start -- --engine workerd, which installs it"
      : `install it beside durable-streams: npm install --global ${packages.join(" ")} (without --global in a project)`,
  );
}
