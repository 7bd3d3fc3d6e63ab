/** `/`: says what this server is and what to do next, for whoever opens its address in a browser. */

import type { Config } from "@durable-streams-cloudflare/core/config";

import { answerJson, type Answer } from "../answers/answer.ts";
import { publicBaseOf } from "../paths/public-url.ts";
import type { HttpRequest } from "../ports.ts";
import type { Access, EdgePorts } from "../routing/edge-ports.ts";
import { OPEN, route, type Route } from "../routing/route.ts";

/** Nothing is loaded, and nothing runs. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const HOME_ROUTES: readonly Route[] = [
  route(
    { method: "GET", path: "/", needs: "nothing", touches: [] },
    { guard: OPEN, handle: async ({ request, ports }) => ({ ok: true, answer: homeAnswer(request, ports) }) },
  ),
];

function homeAnswer(request: HttpRequest, { config, access }: Pick<EdgePorts, "config" | "access">): Answer {
  const isForBrowser = (request.headers.get("Accept") ?? "").includes("text/html");
  return isForBrowser
    ? { status: 200, headers: { ...HTML_HEADERS }, body: page(request, config, access) }
    : answerJson(description(request, access, config), 200, { Vary: "Accept" });
}

const HTML_HEADERS = {
  "Cache-Control": "no-store",
  Vary: "Accept",
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": POLICY,
  "Referrer-Policy": "no-referrer",
};

function description({ mountPath = "" }: HttpRequest, access: Access, { streamRoot }: Config): object {
  return {
    name: "durable-streams-cloudflare",
    protocol: PROTOCOL_URL,
    streams: mountPath + streamRoot,
    health: `${mountPath}/healthz`,
    readiness: `${mountPath}/readyz`,
    needsToken: access !== "everybody",
  };
}

const PROTOCOL_URL = "https://github.com/durable-streams/durable-streams";

function page(request: HttpRequest, config: Config, access: Access): string {
  const { tenancy, streamRoot } = config;
  const { mountPath = "" } = request;
  const base = publicBaseOf(request, config).url;
  const [health, readiness] = [`${mountPath}/healthz`, `${mountPath}/readyz`].map(escapeHtml);
  const stream = `${base}${streamRoot}${tenancy === "path" ? "demo/" : ""}hello`;
  const token = access === "everybody" ? "" : '-H "Authorization: Bearer $TOKEN" ';
  const json = "-H 'Content-Type: application/json'";
  const lines = [
    `curl ${token}-X PUT ${json} ${stream}`,
    `curl ${token}-X POST ${json} -d '{"text":"hello"}' ${stream}`,
    `curl ${token}'${stream}?offset=-1'`,
    `curl ${token}-N '${stream}?offset=-1&live=sse'`,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Durable Streams</title>
</head>
<body>
<h1>Durable Streams</h1>
<p>This is a running server for the <a href="${PROTOCOL_URL}">Durable Streams</a> protocol: append-only logs over HTTP.</p>
<p>${HOW_TO_GET_IN[access]}</p>
<p>Create a stream, append to it, read it, and follow it:</p>
<pre>${lines.map(escapeHtml).join("\n")}</pre>
<p>Status: <a href="${health}">${health}</a>, <a href="${readiness}">${readiness}</a>. Documentation: <code>docs/</code> in the repository of the server.</p>
</body>
</html>
`;
}

const HOW_TO_GET_IN: Readonly<Record<Access, string>> = {
  everybody: "Requests need no token: every program on this machine has full access (<code>AUTH_MODE=none</code>).",
  tokens:
    "Requests need a token of a project. If you have the project's secret, create a token: " +
    "<code>export DURABLE_STREAMS_SECRET=…; durable-streams token --scope manage</code>. " +
    "If there is no project yet, whoever has <code>ADMIN_SECRET</code> can create one: see <code>docs/projects.md</code>.",
  proxy:
    "Requests need a token that the proxy in front of this server accepts (<code>AUTH_MODE=trusted-header</code>).",
  hook: "The Worker that serves this page decides what a request needs.",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
