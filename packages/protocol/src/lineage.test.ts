import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { ancestorsOfFork, basePosition, inheritedStretches, lineageAtBase, offsetAt, type Lineage } from "./lineage.ts";
import { formatOffset } from "./offset.ts";

const PLAIN: Lineage = { incarnation: 100, ancestors: [] };

/** A chain of forks: each adds some bytes, and is left at some place of all that it has. */
const chain = fc
  .array(fc.record({ added: fc.nat(5), left: fc.nat(40) }), { minLength: 1, maxLength: 12 })
  .map((levels) => {
    const lineages: { name: string; lineage: Lineage; tail: number }[] = [];
    let lineage = PLAIN;
    for (const [level, { added, left }] of levels.entries()) {
      const tail = basePosition(lineage) + added;
      lineages.push({ name: `p/${level}`, lineage, tail });
      const ancestors = ancestorsOfFork(`p/${level}`, lineage, left % (tail + 1));
      lineage = { incarnation: 101 + level, ancestors };
    }
    return [...lineages, { name: "p/last", lineage, tail: basePosition(lineage) }];
  });

describe("a fork's ancestors", () => {
  it("are its source up to the fork point", () => {
    expect(ancestorsOfFork("p/a", PLAIN, 7)).toEqual([{ name: "p/a", incarnation: 100, to: 7 }]);
  });

  it("leave out those that have nothing of what it inherits, and itself", () => {
    const source = { incarnation: 300, ancestors: [{ name: "p/a", incarnation: 100, to: 4 }] };
    expect(ancestorsOfFork("p/b", source, 4)).toEqual(source.ancestors);
    expect(ancestorsOfFork("p/b", source, 2)).toEqual([{ name: "p/a", incarnation: 100, to: 2 }]);
    expect(ancestorsOfFork("p/b", source, 6)).toEqual([
      { name: "p/a", incarnation: 100, to: 4 },
      { name: "p/b", incarnation: 300, to: 6 },
    ]);
  });

  it("keep the owner of the beginning when nothing is inherited", () => {
    expect(ancestorsOfFork("p/a", PLAIN, 0)).toEqual([{ name: "p/a", incarnation: 100, to: 0 }]);
  });
});

describe("whatever the chain", () => {
  it("[FK14] a fork's offsets are its source's up to the fork point, and grow with the position", () => {
    fc.assert(
      fc.property(chain, (levels) => {
        for (const [index, { lineage, tail }] of levels.entries()) {
          const source = levels[index - 1];
          const base = basePosition(lineage);
          for (let position = 0; source !== undefined && position <= base; position += 1)
            expect(offsetAt(lineage, position)).toBe(offsetAt(source.lineage, position));
          for (let position = 1; position <= tail; position += 1)
            expect(offsetAt(lineage, position) > offsetAt(lineage, position - 1)).toBe(true);
        }
      }),
    );
  });

  it("[FK18] the stretches of a range lie side by side, cover what is inherited of it, and name each owner once", () => {
    fc.assert(
      fc.property(chain, fc.nat(60), fc.nat(60), (levels, from, size) => {
        for (const { lineage } of levels) {
          const stretches = inheritedStretches(lineage, from, from + size);
          const end = Math.min(from + size, basePosition(lineage));
          const ends = [from, ...stretches.map(({ to }) => to)];
          expect(stretches.map((stretch) => stretch.from)).toEqual(ends.slice(0, -1));
          expect(stretches.length === 0 || ends.at(-1) === end).toBe(true);
          expect(stretches.length === 0).toBe(from >= end);
          expect(new Set(stretches.map(({ name }) => name)).size).toBe(stretches.length);
        }
      }),
    );
  });

  it("the shortened lineage in a header says the same from the fork point on", () => {
    fc.assert(
      fc.property(chain, fc.nat(20), (levels, beyond) => {
        for (const { lineage } of levels) {
          const position = basePosition(lineage) + beyond;
          expect(offsetAt(lineageAtBase(lineage), position)).toBe(offsetAt(lineage, position));
          expect(lineageAtBase(lineage).ancestors.length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

it("a stream's own offsets are in its own incarnation", () => {
  expect(offsetAt(PLAIN, 0)).toBe(formatOffset(100, 0));
  const fork = { incarnation: 300, ancestors: [{ name: "p/a", incarnation: 100, to: 4 }] };
  expect([4, 5].map((position) => offsetAt(fork, position))).toEqual([formatOffset(100, 4), formatOffset(300, 5)]);
});
