/**
 * The clocks of this process. Code that needs the time is given one of them, so that tests and simulated worlds give it
 * another.
 */

/**
 * Milliseconds since 1970. Somebody may set this clock, forward or back: it is for what is stored, and for what is agreed with
 * others, such as when a token expires.
 */
export function wallMs(): number {
  return Date.now();
}

/**
 * Milliseconds since some moment, which never jump. For how long something takes, and for when something that is only kept in
 * memory is too old: by the other clock, an hour back would keep a copy, or a refusal, for an hour more.
 */
export function monotonicMs(): number {
  return performance.now();
}
