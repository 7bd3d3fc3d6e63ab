import { expect, it } from "vitest";

import { SingleFlight } from "./single-flight.ts";

/** Work that ends when the test says so. */
function held() {
  const runs: PromiseWithResolvers<string>[] = [];
  const work = (): Promise<string> => {
    const run = Promise.withResolvers<string>();
    runs.push(run);
    return run.promise;
  };
  return { runs, work };
}

it("calls for the same key share one run, which begins in the turn of the first", async () => {
  const { runs, work } = held();
  const flights = new SingleFlight<string>(10);
  const answers = [flights.run("a", work), flights.run("a", work)];
  expect(runs).toHaveLength(1);
  runs[0]?.resolve("one");
  expect(await Promise.all(answers)).toEqual(["one", "one"]);
});

it("different keys run at the same time", async () => {
  const { runs, work } = held();
  const flights = new SingleFlight<string>(10);
  const answers = [flights.run("a", work), flights.run("b", work)];
  runs[1]?.resolve("b");
  runs[0]?.resolve("a");
  expect(await Promise.all(answers)).toEqual(["a", "b"]);
});

it("what is asked for right after the end runs anew", async () => {
  const { runs, work } = held();
  const flights = new SingleFlight<string>(10);
  const first = flights.run("a", work);
  runs[0]?.resolve("one");
  await first;
  void flights.run("a", work);
  expect(runs).toHaveLength(2);
});

it("a failure reaches all who share the run, and the next call tries again", async () => {
  const { runs, work } = held();
  const flights = new SingleFlight<string>(10);
  const answers = [flights.run("a", work), flights.run("a", work)].map((answer) => answer.catch(String));
  runs[0]?.reject(new Error("It failed."));
  expect(await Promise.all(answers)).toEqual(["Error: It failed.", "Error: It failed."]);
  const again = flights.run("a", work);
  runs[1]?.resolve("two");
  expect(await again).toBe("two");
});

it("work that throws at once rejects, and is not remembered", async () => {
  const flights = new SingleFlight<string>(10);
  const thrown = flights.run("a", () => {
    throw new Error("It failed at once.");
  });
  await expect(thrown).rejects.toThrow("It failed at once.");
  expect(await flights.run("a", async () => "two")).toBe("two");
});

it("keys beyond the limit run by themselves, until there is room again", async () => {
  const { runs, work } = held();
  const flights = new SingleFlight<string>(1);
  const first = flights.run("a", work);
  const others = [flights.run("b", work), flights.run("b", work)];
  expect(runs).toHaveLength(3);
  for (const run of runs) run.resolve("done");
  await Promise.all([first, ...others]);
  void flights.run("b", work);
  void flights.run("b", work);
  expect(runs).toHaveLength(4);
});
