const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Makes the callback this process's only reaction to a signal that asks it to stop. */
export function takeSignals(callback: () => void): void {
  for (const signal of SIGNALS) {
    const others = process.listeners(signal);
    process.on(signal, callback);
    for (const listener of others) process.off(signal, listener);
  }
}

/**
 * Remembers the current listeners. Libraries (Miniflare, and what wrangler imports) add listeners that end the process at
 * once and with another exit code. The returned function removes those again.
 */
export function keepSignals(): () => void {
  const kept = SIGNALS.map((signal) => ({ signal, listeners: process.listeners(signal) }));
  return () => {
    for (const { signal, listeners } of kept) {
      // The remembered listeners stay in place: when the last listener is removed, Node.js drops signals not yet delivered.
      for (const listener of process.listeners(signal)) {
        if (!listeners.includes(listener)) process.off(signal, listener);
      }
    }
  };
}
