/** When nothing goes on any more by itself. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
