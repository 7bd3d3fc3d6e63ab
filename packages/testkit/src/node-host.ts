export { FakeHost, FakeSocket } from "./fake-host.ts";
export { FakeSegmentStore, type StoreFault } from "./fake-segment-store.ts";
export { settled } from "./settled.ts";
