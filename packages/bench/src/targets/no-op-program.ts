/** Answers every request at once and the same: what the load tool reaches here is the most that it can measure. */
import { createServer, type AddressInfo } from "node:net";

const REQUEST_END = "\r\n\r\n";
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

const server = createServer({ noDelay: true }, (socket) => {
  // Requests are small and come one at a time, so each arrives in one piece.
  socket.on("data", (bytes) => {
    if (bytes.includes(REQUEST_END)) socket.write(ANSWER);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.(`http://127.0.0.1:${port}`);
});
