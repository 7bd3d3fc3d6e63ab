/** Exports the settings alone, for programs that must not import the types of Workers. */
export {
  ConfigError,
  parseConfig,
  SETTINGS,
  type Config,
  type SettingName,
} from "@durable-streams-cloudflare/core/config";
