/** Copies a plain RPC answer and disposes of the call. */
export function detach<Answer extends object>(answer: Answer & Partial<Disposable>): Answer {
  const plain = structuredClone<Answer>(answer);
  answer[Symbol.dispose]?.();
  return plain;
}
