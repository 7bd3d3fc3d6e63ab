/** Sends as many bytes as the path says, all from one buffer: the most that Node.js can send to the load tool. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const BUFFER = Buffer.alloc(1024 * 1024, "x");

const server = createServer((request, response) => {
  let left = Number(request.url?.slice(1));
  const sendOn = (): void => {
    const bytes = BUFFER.subarray(0, left);
    left -= bytes.length;
    if (left === 0) response.end(bytes);
    else response.write(bytes, sendOn);
  };
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": left });
  sendOn();
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.(`http://127.0.0.1:${port}`);
});
