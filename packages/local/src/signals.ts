const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Makes this process's reaction to being asked to end ours alone. Libraries (Miniflare, and what wrangler imports) add
 * listeners that exit at once with another code, so this is called again after they have loaded.
 */
export function takeSignals(onSignal: () => void): void {
  for (const signal of SIGNALS) {
    // Ours stays on throughout: with the last listener, Node.js drops a signal that has come but is not yet delivered.
    if (!process.listeners(signal).includes(onSignal)) process.on(signal, onSignal);
    for (const listener of process.listeners(signal)) {
      if (listener !== onSignal) process.off(signal, listener);
    }
  }
}
