// The unmodified server. To mount it in your own Worker, see the README of the package.
export { default } from "@durable-streams-cloudflare/server/worker";
export * from "@durable-streams-cloudflare/server/worker";
