/**
 * Compares docs/spec.md with the titles of the tests, in both directions: every rule is named by a test, and every id that a
 * title begins with is a rule's. `npm run check-spec`
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";

/** The sections of the protocol that bind a server. Each has a rule, and a rule that comes from the protocol names one. */
const SECTIONS = `4 4.1 4.2 5.1 5.2 5.2.1 5.3 5.4 5.5 5.6 5.7 5.8 6 6.1 6.2 6.3 6.4 6.5 7 7.1 7.2 7.3 8
  9 9.1.1 9.1.2 9.1.3 9.1.4 9.1.5 10.1 10.2 11.1 12.1 12.2 12.3 12.4 12.5 12.6 12.7 12.8 12.9 12.10 12.11 13.1`.split(
  /\s+/,
);

const RULE = /^- \*\*\[([A-Z]{2}\d+)\]\*\* \(((?:[^()]|\([^()]*\))+)\) \S/;
/** The beginning of a title: the text that a call of a test function begins with. */
const TITLE = /(?<skipped>\.(?:skip|todo))?\(\s*["'`](?<ids>(?:\[[A-Z]+\d*\] )+)/g;
const MENTION = /\[([A-Z]{2}\d+)\]/g;

export interface Rule {
  readonly id: string;
  readonly sources: readonly string[];
  /** The heading that it stands under. */
  readonly area: string;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Inputs {
  readonly spec: string;
  readonly tests: readonly SourceFile[];
  /** Whether a page beside the specification, or a heading of it, exists: `extensions.md#retention`. */
  readonly hasTarget: (target: string) => boolean;
}

export interface Verdict {
  readonly rules: readonly Rule[];
  /** How many titles name each rule. */
  readonly titles: ReadonlyMap<string, number>;
  readonly titlesInAll: number;
  readonly faults: readonly string[];
}

export function checkSpec({ spec, tests, hasTarget }: Inputs): Verdict {
  const { rules, faults } = readRules(spec);
  const known = new Set(rules.map(({ id }) => id));
  const titles = new Map<string, number>();
  let titlesInAll = 0;
  for (const { path, text } of tests) {
    for (const { index, groups } of text.matchAll(TITLE)) {
      const ids = (groups?.["ids"] ?? "").trim().slice(1, -1).split("] [");
      const line = text.slice(0, index).split("\n").length;
      for (const id of ids) {
        if (!known.has(id)) faults.push(`${path}:${line}: a title names [${id}], which is no rule of docs/spec.md.`);
        else if (groups?.["skipped"] === undefined) titles.set(id, (titles.get(id) ?? 0) + 1);
      }
      titlesInAll += 1;
    }
    for (const [, id = ""] of text.matchAll(MENTION)) {
      if (!known.has(id)) faults.push(`${path}: mentions [${id}], which is no rule of docs/spec.md.`);
    }
  }
  for (const { id } of rules)
    if (!titles.has(id)) faults.push(`[${id}] is in no title: name it in the test that proves it.`);
  faults.push(...faultsOfIds(rules), ...faultsOfSources(rules, hasTarget));
  return { rules, titles, titlesInAll, faults: [...new Set(faults)] };
}

function readRules(spec: string): { rules: Rule[]; faults: string[] } {
  const rules: Rule[] = [];
  const faults: string[] = [];
  let area = "";
  for (const [index, line] of spec.split("\n").entries()) {
    if (line.startsWith("## ")) area = line.slice(3);
    if (!line.startsWith("- ")) continue;
    const [, id, sources] = RULE.exec(line) ?? [];
    if (id === undefined || sources === undefined) {
      faults.push(`docs/spec.md:${index + 1}: a rule has the form "- **[AP1]** (§5.2) What holds."`);
    } else rules.push({ id, sources: sources.split(", "), area });
  }
  return { rules, faults };
}

function faultsOfIds(rules: readonly Rule[]): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  const areas = new Map<string, string>();
  for (const { id, area } of rules) {
    if (seen.has(id)) faults.push(`[${id}] is the id of two rules.`);
    seen.add(id);
    const prefix = id.slice(0, 2);
    const home = areas.get(prefix) ?? area;
    areas.set(prefix, home);
    if (home !== area) faults.push(`[${id}] stands under "${area}", but rules of ${prefix} stand under "${home}".`);
  }
  return faults;
}

function faultsOfSources(rules: readonly Rule[], hasTarget: Inputs["hasTarget"]): string[] {
  const faults: string[] = [];
  const named = new Set<string>();
  for (const { id, sources } of rules) {
    for (const source of sources) {
      named.add(source);
      const [, target] = /^\[[^\]]+\]\(([^)]+)\)$/.exec(source) ?? [];
      const isKnown = target === undefined ? source === "ours" || isSection(source) : hasTarget(target);
      if (!isKnown) faults.push(`[${id}] comes from "${source}": neither a section, nor a page of docs, nor ours.`);
    }
  }
  for (const section of SECTIONS) if (!named.has(`§${section}`)) faults.push(`No rule comes from §${section}.`);
  return faults;
}

function isSection(source: string): boolean {
  return source.startsWith("§") && SECTIONS.includes(source.slice(1));
}

/** As GitHub makes the anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

export function readInputs(root: string): Inputs {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const files = readdirSync(join(root, "packages"), { recursive: true, encoding: "utf8" });
  const paths = files.filter((path) => path.endsWith(".test.ts") && !path.includes(`node_modules${sep}`));
  const docs = new Set(readdirSync(join(root, "docs")));
  const hasTarget = (target: string): boolean => {
    const [page = "", anchor] = target.split("#");
    if (!docs.has(page)) return false;
    const headings = read(join("docs", page)).match(/^#+ .*$/gm) ?? [];
    return anchor === undefined || headings.some((heading) => anchorOf(heading.replace(/^#+ /, "")) === anchor);
  };
  const tests = paths.toSorted().map((path) => ({ path: `packages/${path}`, text: read(join("packages", path)) }));
  return { spec: read("docs/spec.md"), tests, hasTarget };
}

if (import.meta.main) {
  const { rules, titles, titlesInAll, faults } = checkSpec(readInputs(join(import.meta.dirname, "..")));
  for (const fault of faults) console.error(fault);
  const once = rules.filter(({ id }) => titles.get(id) === 1);
  console.log(`${rules.length} rules, named by ${titlesInAll} titles. ${once.length} rules have one title:`);
  console.log(once.map(({ id }) => id).join(" "));
  process.exitCode = faults.length === 0 ? 0 : 1;
}
