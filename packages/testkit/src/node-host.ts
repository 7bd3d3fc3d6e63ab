export { FakeHost, FakeSocket } from "./fake-host.ts";
export { NodeDatabase } from "./node-database.ts";
