import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { METHODS, type Why } from "../../src/idempotency/methods.ts";

/** What the runtime calls. */
const HANDLERS = new Set(["constructor", "fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"]);
const PACKAGES = join(import.meta.dirname, "../../..");

function sourceFiles(): { readonly path: string; readonly text: string }[] {
  return ["core", "http", "server"].flatMap((name) => {
    const source = join(PACKAGES, name, "src");
    return readdirSync(source, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
      .map((path) => ({ path: `${name}/${path}`, text: readFileSync(join(source, path), "utf8") }));
  });
}

function methodsOf(kind: string): string[] {
  const text = readFileSync(join(PACKAGES, "server/src/objects", `${kind}-do.ts`), "utf8");
  const body = text.slice(text.search(/^export class \w+DO /m));
  const names = [...body.matchAll(/^ {2}(?:override )?(?:async )?(\w+)\(/gm)].map(([, name = ""]) => name);
  return [...new Set(names)].filter((name) => !HANDLERS.has(name));
}

/** Why a method may be called again, of each object that has one of that name. */
function reasonsOf(name: string): Why[] {
  return Object.values<Readonly<Record<string, Why>>>(METHODS).flatMap((methods) => methods[name] ?? []);
}

describe("every call that is repeated is idempotent", () => {
  it.each(Object.entries(METHODS))("all methods of the object %s are in the table", (kind, methods) => {
    expect(methodsOf(kind).toSorted()).toEqual(Object.keys(methods).toSorted());
  });

  it("nothing is repeated that may not be repeated", () => {
    const isOnce = (name: string): boolean =>
      reasonsOf(name).includes("once") && !reasonsOf(name).some((why) => why !== "once");
    for (const { path, text } of sourceFiles()) {
      const calls = text.split(/retryRpc\(|\.call\(/).slice(1);
      const near = calls.map((call) => call.slice(0, 120).split("callOnce")[0] ?? "");
      const names = near.flatMap((call) => [...call.matchAll(/\.(\w+)\(/g)]);
      expect({ path, repeated: names.map(([, name = ""]) => name).filter(isOnce) }).toEqual({ path, repeated: [] });
    }
    // Methods that share their name with an idempotent one.
    const routes = ["subscriptions", "estuaries"].map((name) =>
      readFileSync(join(PACKAGES, "http/src/routes", `${name}.ts`), "utf8"),
    );
    expect(routes.join("\n")).not.toMatch(/retryRpc\([^)]*\)? ?(?:=>)?[^;]*\.(?:remove|create)\(/);
  });
});
