import { beforeEach, expect, it } from "vitest";

import { Strangers } from "../limits/strangers.ts";
import { tokenClaims } from "./claims-source.ts";
import { findProject } from "./project-authorize.ts";
import { Registry } from "./registry.ts";

const PER_MINUTE = 3;

let reads: number;
let ports: Parameters<typeof findProject>[0];

beforeEach(() => {
  reads = 0;
  const store = {
    get: () => {
      reads += 1;
      return Promise.resolve(null);
    },
  };
  ports = { registry: new Registry(store), strangers: new Strangers(PER_MINUTE, false), claims: tokenClaims() };
});

it("[IN20] a made-up name is looked up so many times a minute and no more, whatever it was looked up for", async () => {
  const found = [];
  for (let number = 0; number < 2 * PER_MINUTE; number += 1) {
    const request = new Request("https://streams.example", { headers: { "CF-Connecting-IP": "192.0.2.1" } });
    found.push((await findProject(ports, `made-up-${number}`, request)).ok);
  }
  expect(found).toEqual([true, true, true, false, false, false]);
  expect(reads).toBe(PER_MINUTE);
});
