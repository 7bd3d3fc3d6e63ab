const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Makes this process's reaction to being asked to end this one alone. */
export function takeSignals(callback: () => void): void {
  for (const signal of SIGNALS) {
    const others = process.listeners(signal);
    process.on(signal, callback);
    for (const listener of others) process.off(signal, listener);
  }
}

/**
 * Notes who listens now. Libraries (Miniflare, and what wrangler imports) add listeners that end the process at once and
 * with another exit code; the function that is returned takes those off again.
 */
export function keepSignals(): () => void {
  const kept = SIGNALS.map((signal) => ({ signal, listeners: process.listeners(signal) }));
  return () => {
    for (const { signal, listeners } of kept) {
      // The others stay on throughout: with the last one, Node.js drops a signal that has come but is not yet delivered.
      for (const listener of process.listeners(signal)) {
        if (!listeners.includes(listener)) process.off(signal, listener);
      }
    }
  };
}
