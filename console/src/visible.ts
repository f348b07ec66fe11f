// Text of others that decides something: nothing in it may hide or reorder what is read. Pure functions.

// Controls but line break and tab, soft hyphen, zero-width and direction characters, fillers, tags, variation selectors.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/gu;

export interface Run {
  text: string;
  isHidden: boolean;
}

/** Split text into what can be seen and marks for what cannot: `⟨U+202E⟩`. */
export function visible(text: string): Run[] {
  const runs: Run[] = [];
  let done = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > done) runs.push({ text: text.slice(done, match.index), isHidden: false });
    const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    runs.push({ text: `⟨U+${code}⟩`, isHidden: true });
    done = match.index + match[0].length;
  }
  if (done < text.length) runs.push({ text: text.slice(done), isHidden: false });
  return runs;
}

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** An argument list as somebody would type it: words that need quotes have them. */
export function quoted(argv: readonly string[]): string {
  return argv.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
