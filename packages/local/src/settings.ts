import { parseConfig, SETTINGS } from "../../server/src/config.ts";
import { EXIT, Failure } from "./failure.ts";

type Settings = Readonly<Record<string, unknown>>;

/** What a pasted curl line needs. Only `--var` changes these: wrangler.toml and .dev.vars speak of the deployment. */
const LOCAL_DEFAULTS = { TENANCY: "single", AUTH_MODE: "none" } as const;

/**
 * The settings that the server runs with: those of wrangler.toml and .dev.vars, then the local defaults, then `--var`.
 * @throws Failure when `--var` names no setting, or any value is refused by the server's own parser.
 */
export function localSettings(configured: Settings, overrides: Readonly<Record<string, string>>): Settings {
  for (const name of Object.keys(overrides)) {
    if (!Object.hasOwn(SETTINGS, name)) {
      throw new Failure(
        `--var ${name}: there is no such setting.`,
        `settings are ${Object.keys(SETTINGS).join(" ")}`,
        EXIT.usage,
      );
    }
  }
  const settings = { ...configured, ...LOCAL_DEFAULTS, ...overrides };
  try {
    parseConfig(settings);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Failure(message, "change these in --var NAME:VALUE, wrangler.toml or .dev.vars", EXIT.usage);
  }
  return settings;
}
