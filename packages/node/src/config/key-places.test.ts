import { parse } from "smol-toml";
import { expect, it } from "vitest";

import { keyPlaces } from "./key-places.ts";

const DOCUMENT = `# [not] = "a table"
title = "x" # y = 1
"quoted.key" = 'z'

[server]
port = 4437
  host = """
[fake]
port = 1
""\\""""
raw = '''
[fake]'''
[http] # [x]
cors_origins = [ # a = 1
  "https://a.example", # ]
  "b = 1",
]
inline = { a = 1, b.c = "}", d = [{ e = 2 }] }
when = 1979-05-27 07:32:00
[a . "b"]
c.d = 1_000
[[list]]
k = 1
[[list]]
k = 2
`;

it("each key is found where it is written, whatever comments, strings and brackets are around it", () => {
  const found = Object.fromEntries(
    [...keyPlaces(DOCUMENT)].map(([key, { line, column }]) => [key, `${line}:${column}`]),
  );
  expect(found).toEqual({
    title: "2:1",
    "quoted.key": "3:1",
    server: "5:1",
    "server.port": "6:1",
    "server.host": "7:3",
    "server.raw": "11:1",
    http: "13:1",
    "http.cors_origins": "14:1",
    "http.inline": "18:1",
    "http.inline.a": "18:12",
    "http.inline.b": "18:19",
    "http.inline.b.c": "18:19",
    "http.inline.d": "18:30",
    "http.when": "19:1",
    "http.inline.d.e": "18:37",
    a: "20:1",
    "a.b": "20:1",
    "a.b.c": "21:1",
    "a.b.c.d": "21:1",
    list: "22:1",
    "list.k": "23:1",
  });
});

it("exactly the keys that the parser knows are found", () => {
  const paths = new Set<string>();
  const walk = (value: unknown, path: readonly string[]): void => {
    if (path.length > 0) paths.add(path.join("."));
    if (Array.isArray(value)) for (const item of value) walk(item, path);
    else if (typeof value === "object" && value !== null && !(value instanceof Date)) {
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
    }
  };
  walk(parse(DOCUMENT), []);
  expect([...keyPlaces(DOCUMENT).keys()].toSorted()).toEqual([...paths].toSorted());
});

it.each(["", "\n", "[", "a", "= 1", '"', "[[[", "a = {", "a = [1", "]]]", "a = '''"])(
  "a text that is not TOML does not hold the scan: %j",
  (text) => expect(() => keyPlaces(text)).not.toThrow(),
);
