// The server as it is. To mount it in a Worker of your own, see the README of the package.
export { default } from "@durable-streams-cloudflare/server/worker";
export * from "@durable-streams-cloudflare/server/worker";
