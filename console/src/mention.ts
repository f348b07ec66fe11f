/** The half-typed mention that ends at the caret: its name so far, or null. */
export function mentionAt(text: string, caret: number): string | null {
  const match = /(?:^|[^A-Za-z0-9._-])@([A-Za-z0-9._-]*)$/.exec(text.slice(0, caret));
  return match ? (match[1] ?? "") : null;
}
