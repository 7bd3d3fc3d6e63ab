/** What the image in packages/proxy makes of its variables, without the image. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PROXY = new URL("../../proxy/", import.meta.url);
const SETTINGS = fileURLToPath(new URL("17-settings.envsh", PROXY));
const TEMPLATE = new URL("nginx.conf.template", PROXY);

/** Variables by name, as `docker run -e`. */
export type ProxySettings = Readonly<Record<string, string | number>>;

/**
 * Does what the image's entrypoint does: sources the settings in a shell that ends at the first fault, and replaces
 * `${PROXY_…}` in the template.
 * @param path where `nginx` is looked for, to ask for its version.
 * @throws Error with what the settings say is wrong.
 */
export function proxyConfig(settings: ProxySettings, path = `/usr/sbin:${process.env.PATH ?? ""}`): string {
  const environment = Object.entries(settings).map(([name, value]) => [name, String(value)] as const);
  const { status, stdout, stderr } = spawnSync("sh", ["-c", 'set -e; . "$0"; env -0', SETTINGS], {
    env: { PATH: path, ...Object.fromEntries(environment) },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr.trim());
  const variables = new Map(stdout.split("\0").map((line): [string, string] => splitAtEqualsSign(line)));
  return readFileSync(TEMPLATE, "utf8").replaceAll(
    /\$\{(PROXY_\w+)\}/g,
    (whole, name: string) => variables.get(name) ?? whole,
  );
}

function splitAtEqualsSign(line: string): [string, string] {
  const end = line.indexOf("=");
  return [line.slice(0, end), line.slice(end + 1)];
}
