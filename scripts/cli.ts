/**
 * `npm run cli -- …`: the command line tool of this clone, on the Node.js of the workspace. npm runs scripts in the root of the
 * repository; names of files are relative to where the user is.
 */
process.env["DURABLE_STREAMS_INVOKED_AS"] = "npm run cli --";
process.chdir(process.env["INIT_CWD"] ?? process.cwd());
await import("../packages/cli/src/main.ts");
