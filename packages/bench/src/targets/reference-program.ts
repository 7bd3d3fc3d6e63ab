/** The reference server; with a directory as its argument it keeps its streams there, otherwise in memory. */
import { DurableStreamTestServer } from "@durable-streams/server";

const [, , dataDir] = process.argv;
const server = new DurableStreamTestServer({ port: 0, ...(dataDir === undefined ? {} : { dataDir }) });
process.send?.(await server.start());
