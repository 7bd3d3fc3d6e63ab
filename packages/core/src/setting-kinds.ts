/** The kinds of settings (number, text, choice and so on): what each accepts, and how the table of `config.ts` declares one. */

export type Setting =
  | {
      readonly kind: "integer";
      readonly default: number;
      readonly min: number;
      readonly max: number;
      readonly about: string;
    }
  | { readonly kind: "choice"; readonly default: string; readonly choices: readonly string[]; readonly about: string }
  | {
      readonly kind: "text";
      readonly default: string;
      readonly pattern: RegExp;
      readonly expects: string;
      readonly about: string;
      /** Never shown, not even in the message about an invalid value. */
      readonly isSecret?: true;
    };

/** Whether the setting accepts this text. */
export function isValid(setting: Setting, text: string): boolean {
  switch (setting.kind) {
    case "integer":
      return /^\d{1,15}$/.test(text) && Number(text) >= setting.min && Number(text) <= setting.max;
    case "choice":
      return setting.choices.includes(text);
    case "text":
      return setting.pattern.test(text);
  }
}

/**
 * Returns the text of a setting if it is valid; otherwise records the fault and returns the default.
 * @param shown the name that the value was found under.
 * @param raw what was found; `undefined`: nothing.
 */
export function settingText(setting: Setting, shown: string, raw: unknown, faults: string[]): string {
  if (raw === undefined) return String(setting.default);
  const text = typeof raw === "string" || typeof raw === "number" ? String(raw).trim() : "";
  if (isValid(setting, text)) return text;
  const isSecret = setting.kind === "text" && setting.isSecret === true;
  const found = isSecret ? "something else" : (JSON.stringify(raw) ?? typeof raw);
  faults.push(`- ${shown} must be ${expectation(setting)}, but it is ${found}.`);
  return String(setting.default);
}

/** What a setting accepts, in words: for error messages and the generated documentation. */
export function expectation(setting: Setting): string {
  switch (setting.kind) {
    case "integer":
      return `a whole number from ${setting.min} to ${setting.max}`;
    case "choice":
      return anyOf(setting.choices);
    case "text":
      return setting.expects;
  }
}

export function secret(about: string) {
  const expects = "32 to 512 printable characters without spaces";
  return { kind: "text", default: "", pattern: /^(?:[!-~]{32,512})?$/, expects, about, isSecret: true } as const;
}

export function integer(defaultValue: number, min: number, max: number, about: string) {
  return { kind: "integer", default: defaultValue, min, max, about } as const;
}

export function choice<const Choices extends readonly string[]>(
  defaultValue: Choices[number],
  choices: Choices,
  about: string,
) {
  return { kind: "choice", default: defaultValue, choices, about } as const;
}

/** `a or b`; `a, b or c`. */
function anyOf(choices: readonly string[]): string {
  return [choices.slice(0, -1).join(", "), ...choices.slice(-1)].join(" or ");
}
