/** Answers every request at once with the same response, which shows the maximum that the load tool can measure. */
import { createServer, type AddressInfo } from "node:net";

const REQUEST_END = "\r\n\r\n";
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

const server = createServer({ noDelay: true }, (socket) => {
  // Requests are small and are sent one at a time, so each arrives in a single chunk.
  socket.on("data", (bytes) => {
    if (bytes.includes(REQUEST_END)) socket.write(ANSWER);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.(`http://127.0.0.1:${port}`);
});
