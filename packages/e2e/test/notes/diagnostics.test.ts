/** What helps to find out where a request spent its time. */
import { expect, it } from "vitest";

import { append, get, header, send } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer();

it("[DG2] a response says how long the object and the whole request took, if the request asks for it", async () => {
  const url = await server.newStream("abc");
  const asking = { "Stream-Server-Timing": "1" };
  for (const answer of [await get(url, asking), await append(url, "d", asking), await get(`${url}/missing`, asking)]) {
    expect(header(answer, "Server-Timing")).toMatch(/^object;dur=[\d.]+, total;dur=[\d.]+$/);
  }
  for (const answer of [await get(url), await send("HEAD", url)]) {
    expect(answer.headers.get("Server-Timing")).toBeNull();
  }
});
