/** What each part of the bundled Worker weighs, from esbuild's description of the bundle. */

/** The part of esbuild's metafile that is looked at. Paths of inputs are relative to the repository. */
export interface Metafile {
  readonly outputs: Readonly<Record<string, BundledOutput>>;
}

interface BundledOutput {
  readonly bytes: number;
  readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>;
}

export interface Weight {
  /** `http/routes`, `protocol`, or a dependency's name. */
  readonly part: string;
  /** Minified, before compression. */
  readonly bytes: number;
}

/** Packages of which each folder is a part of its own. */
const BY_FOLDER = ["core", "http"];
const OWN_SOURCE = /(?:^|\/)packages\/([\w-]+)\/src\/(?:([\w-]+)\/)?/;
const DEPENDENCY = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//;
/** What the bundler puts around the modules, and what Wrangler adds. */
const REST = "bundler";

/** @returns the parts, the heaviest first. They add up to the size of the bundle. */
export function weighParts({ outputs }: Metafile): Weight[] {
  const bundles = Object.entries(outputs).flatMap(([path, output]) => (path.endsWith(".map") ? [] : [output]));
  const weights = new Map<string, number>();
  const add = (part: string, bytes: number): void => void weights.set(part, (weights.get(part) ?? 0) + bytes);
  for (const { bytes, inputs } of bundles) {
    let known = 0;
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      add(partOf(path), bytesInOutput);
      known += bytesInOutput;
    }
    add(REST, bytes - known);
  }
  return [...weights]
    .map(([part, bytes]) => ({ part, bytes }))
    .filter(({ bytes }) => bytes > 0)
    .toSorted((a, b) => b.bytes - a.bytes || (a.part < b.part ? -1 : 1));
}

/** What serves modules: a Worker without modules carries none of it. */
const OF_MODULES = /(?:^|\/)packages\/(?:http\/src\/modules|server\/src\/objects\/module)[-/]/;

/** @returns the sources of which the bundle contains something, although only a server with modules needs them. */
export function moduleSources({ outputs }: Metafile): string[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  return inputs.flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 && OF_MODULES.test(path) ? [path] : []));
}

/** A table, one line a part. */
export function formatWeights(weights: readonly Weight[]): string {
  const total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const width = Math.max(...weights.map(({ part }) => part.length), "total".length);
  const line = (part: string, bytes: number): string =>
    `${part.padEnd(width)} ${(bytes / 1024).toFixed(1).padStart(7)} KB ${((100 * bytes) / total).toFixed(1).padStart(5)} %`;
  return [...weights.map(({ part, bytes }) => line(part, bytes)), line("total", total)].join("\n");
}

function partOf(path: string): string {
  const dependency = DEPENDENCY.exec(path)?.[1];
  if (dependency !== undefined) return dependency === "wrangler" ? REST : dependency;
  const [, name, folder] = OWN_SOURCE.exec(path) ?? [];
  if (name === undefined) return REST;
  return folder !== undefined && BY_FOLDER.includes(name) ? `${name}/${folder}` : name;
}
