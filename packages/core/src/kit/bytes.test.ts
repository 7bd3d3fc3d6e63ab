import { expect, it } from "vitest";

import { toBase64 } from "./bytes.ts";

it.each([0, 1, 2, 3, 24_575, 24_576, 24_577, 100_001])("%i bytes are what Node.js makes of them", (size) => {
  const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 31) % 256);
  expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
});
