import { expect, it } from "vitest";

import { formatIgnoredEnvironment as format } from "./ignored-environment.ts";

it.each([
  ["PORT", "8080", "--port 8080, or DS_SERVER__PORT=8080"],
  ["AUTH_MODE", "project", "--var AUTH_MODE:project, or DS_AUTH__MODE=project"],
  ["LOG_LEVEL", "info", "--var LOG_LEVEL:info, or DS_LOG__LEVEL=info"],
])("%s is not read, and a warning names the flag and the variable to use", (name, value, instead) => {
  const line = format({ [name]: value }, {});
  expect(line).toMatch(new RegExp(`^! The environment variable ${name} is ignored\\.`));
  expect(line).toContain(instead);
});

it("does not warn about secrets, empty variables, settings given by --var, or unrelated variables", () => {
  const secret = "x".repeat(32);
  const environment = {
    PROJECT_SECRET: secret,
    PORT: "",
    LOG_LEVEL: "info",
    PATH: "/bin",
    DS_WORKERD: "/x",
    DS_MAIN: "x",
  };
  expect(format(environment, { LOG_LEVEL: "off" })).toBe("");
});
