/** The reference server. Keeps its streams in the directory given as its argument, otherwise in memory. */
import { DurableStreamTestServer } from "@durable-streams/server";

const [, , dataDir] = process.argv;
const server = new DurableStreamTestServer({ port: 0, ...(dataDir === undefined ? {} : { dataDir }) });
process.send?.(await server.start());
