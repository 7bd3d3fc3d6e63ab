/** The settings alone, without any type of Workers. */
export {
  ConfigError,
  parseConfig,
  SETTINGS,
  type Config,
  type SettingName,
} from "@durable-streams-cloudflare/core/config";
