import fc from "fast-check";
import { expect, it } from "vitest";

import { literalPrefix, matchesGlob } from "./glob.ts";

it.each([
  ["events/*", "events/a", true],
  ["events/*", "events", false],
  ["events/*", "events/a/b", false],
  ["*", "events", true],
  ["*", "a/b", false],
  ["**", "a/b/c", true],
  ["events/**", "events", true],
  ["events/**", "events/a/b", true],
  ["events/**", "eventsx", false],
  ["**/log", "log", true],
  ["**/log", "a/b/log", true],
  ["**/log", "a/log/b", false],
  ["a/**/z", "a/z", true],
  ["a/**/z", "a/b/c/z", true],
  ["a/**/b/*/c", "a/x/b/b/y/c", true],
  ["a/**/b/*/c", "a/x/b/c", false],
  ["events/%2A", "events/*", true],
  ["events/%2a", "events/a", false],
  ["a.b/*", "a.b/c", true],
  ["a.b/*", "axb/c", false],
  ["order-*", "order-1", false],
])("[SU6] the pattern %s and the name %s match: %s", (pattern, name, matches) => {
  expect(matchesGlob(pattern, name)).toBe(matches);
  expect(matches && !name.startsWith(literalPrefix(pattern))).toBe(false);
});

/** The rules as they are written, which takes exponential time. */
function matchesByRule([glob, ...globs]: readonly string[], segments: readonly string[]): boolean {
  if (glob === undefined) return segments.length === 0;
  if (glob === "**")
    return (
      matchesByRule(globs, segments) || (segments.length > 0 && matchesByRule([glob, ...globs], segments.slice(1)))
    );
  return segments.length > 0 && (glob === "*" || glob === segments[0]) && matchesByRule(globs, segments.slice(1));
}

it("[SU6] a pattern matches what the rules say, whatever it is", () => {
  const globs = fc.array(fc.constantFrom("a", "b", "*", "**"), { minLength: 1, maxLength: 6 });
  const segments = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(globs, segments, (pattern, name) => {
      expect(matchesGlob(pattern.join("/"), name.join("/"))).toBe(matchesByRule(pattern, name));
    }),
    { numRuns: 2_000 },
  );
});

it("[SU6] a pattern that was made to take long takes no longer", () => {
  const pattern = Array.from({ length: 130 }, () => "**").join("/");
  expect(matchesGlob(`${pattern}/z`, Array.from({ length: 200 }, () => "a").join("/"))).toBe(false);
});
