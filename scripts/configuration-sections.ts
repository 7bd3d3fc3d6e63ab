/** Sections of docs/configuration.md: the names of settings, the layers of one machine, and the server's own options. */

import { expectation } from "../packages/core/src/setting-kinds.ts";
import { SETTING_PATHS, variableOf } from "../packages/core/src/setting-paths.ts";
import { SERVER_OPTIONS, type ServerOption } from "../packages/node/src/config/server-options.ts";

export function namesSection(): string {
  return `## Names

Each setting has a plain name, a path for TOML files, and a \`DS_…\` variable that follows from the path. Several paths are those
of the Durable Streams server in Rust. On Cloudflare, either the plain name or the variable can be a variable of the Worker, but
not both at once. A Worker logs a warning when it starts with a \`DS_…\` variable that is none of these, such as
\`DS_SERVER__PORT\`, because it has no effect.

\`server.long_poll_timeout_secs\` is in seconds and may have a fraction. \`log.rust_log\` takes a filter of the server in Rust:
\`info\`, \`debug\` and \`trace\` become \`info\`; \`warn\` and \`error\` become \`error\`. Of a filter with several parts, the part
without a target counts; if there is none, the part that logs the most.

| setting | path | variable |
| ------- | ---- | -------- |
${SETTING_PATHS.map(({ name, path, variable }) => `| \`${name}\` | \`${path}\` | \`${variable}\` |`).join("\n")}
`;
}

export const LAYERS_SECTION = `## Layers on one machine

\`npm start\` and \`durable-streams serve\` take each option from the last of these layers that has it:

1. the defaults
2. \`config/default.toml\`
3. \`config/NAME.toml\`, with \`--profile NAME\` or \`DS_PROFILE=NAME\`
4. \`config/local.toml\`
5. the file of \`--config FILE\`
6. the environment: \`DS_*\` variables, and secrets by their plain names
7. flags: \`--port\`, \`--host\`, \`--var NAME:VALUE\` and others (\`--help\` lists them)

\`\`\`toml
# config/default.toml
[server]
port = 8080

[http]
cors_origins = ["https://app.example.com"]

[storage]
mode = "file-durable"
data_dir = "/var/lib/durable-streams"
\`\`\`

- The folder \`config\` is in the working directory; \`--config-dir DIR\` names another one. \`config/default.toml\` and
  \`config/local.toml\` may be missing; the file of a profile, and that of \`--config\`, must exist.
- A relative path begins at the working directory, in every layer.
- An unknown key, an unknown \`DS_*\` variable, a value of the wrong type or out of its bounds, and two names of one setting in
  one layer are refused. All faults are listed at once, with file, line, column and the name that was probably meant, and
  nothing is started. An empty variable counts as not set.
- A secret may be in a file that only its owner can read (\`chmod 600\`). In any other file it is refused, and so it is on a
  command line, which everybody on the machine can see.
- \`RUST_LOG\` has the meaning of \`DS_LOG__RUST_LOG\` if neither that variable nor \`DS_LOG__LEVEL\` is set. Other programs read it
  as well, so a value that cannot be read is not refused.
- \`AWS_ACCESS_KEY_ID\`, \`AWS_SECRET_ACCESS_KEY\` and \`AWS_SESSION_TOKEN\` are the credentials for \`storage.segments = "s3"\`, if
  none of the three is in the environment as \`DS_STORAGE__S3_…\`. Other programs read them as well, so a value that cannot
  be read is not refused.
- \`OTEL_EXPORTER_OTLP_ENDPOINT\`, \`OTEL_EXPORTER_OTLP_HEADERS\`, \`OTEL_SERVICE_NAME\`, \`OTEL_TRACES_SAMPLER\`,
  \`OTEL_TRACES_SAMPLER_ARG\`, \`OTEL_METRIC_EXPORT_INTERVAL\` and \`OTEL_SDK_DISABLED\` have the meaning of the options of
  \`telemetry\`, each unless its own \`DS_TELEMETRY__…\` is in the environment. Here, too, a value that cannot be read is not
  refused. [telemetry.md](telemetry.md) says what is sent.
- Other variables that begin with \`DS_\` and are no options: \`DS_PROFILE\`, \`DS_ENGINE\` (for the tests of this repository), and
  \`DS_WORKERD\`, \`DS_CONTROL\`, \`DS_PROCESS_RECORD\`, \`DS_STOPPING\` (from the launcher to workerd).
- With \`--engine workerd\`, settings of \`wrangler.toml\` are a layer above the defaults, except \`TENANCY\` and \`AUTH_MODE\`.

\`durable-streams config explain\` prints each option, its value and default, where the value comes from, and what it overrides;
secrets are masked. \`durable-streams config check\` only checks. Both take the flags of \`serve\`. In a clone:
\`npm start -- --explain-config\`, \`npm start -- --check-config\`. A program that embeds the server gets the same from
\`loadConfig\` of \`@durable-streams-cloudflare/node\`, without flags.
`;

export function optionsSection(): string {
  return `## Options of the server on one machine

| path | variable | default | accepts | meaning |
| ---- | -------- | ------- | ------- | ------- |
${SERVER_OPTIONS.map(serverOptionRow).join("\n")}

\`storage.acid_shard_count\` and \`limits.max_memory_bytes\` do not count in other storage modes than theirs.
\`server.engine\`, \`server.metrics_port\` and \`server.drain_secs\` are for the two commands: \`loadConfig\` checks them, but a
program that embeds the server decides for itself.
`;
}

function serverOptionRow({ path, setting, ...option }: ServerOption): string {
  const general = option.default ?? String(setting.default);
  const cells = [`\`${path}\``, `\`${variableOf(path)}\``, general === "" ? "" : `\`${general}\``];
  return `| ${[...cells, plain(expectation(setting)), plain(setting.about)].join(" | ")} |`;
}

/** Escapes what Markdown would interpret. */
export function plain(text: string): string {
  return text.replaceAll(/[*<]/g, String.raw`\$&`);
}
