// Text of a message → what is shown: paragraphs, code, links, mentions. Pure; nothing is ever taken as HTML.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong"; text: string }
  | { kind: "link"; text: string; address: string }
  | { kind: "mention"; text: string };

export type Block = { kind: "code"; text: string; language: string } | { kind: "prose"; pieces: Inline[] };

const FENCE = /^ {0,3}```\s*([A-Za-z0-9+#.-]*)\s*$/;
const INDENTED = /^(?: {4}|\t)/;
const INLINE =
  /`([^`\n]+)`|\*\*(\S(?:[^*\n]*\S)?)\*\*|(https?:\/\/[^\s<>"'`]+)|(^|(?<![A-Za-z0-9._/-]))@([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)/g;

/** Split text into blocks: fenced or indented code, and prose between them. */
export function blocks(text: string, mentioned: ReadonlySet<string> = new Set()): Block[] {
  const found: Block[] = [];
  let prose: string[] = [];
  const endProse = () => {
    const joined = prose.join("\n");
    if (joined) found.push({ kind: "prose", pieces: inline(joined, mentioned) });
    prose = [];
  };
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const fence = FENCE.exec(line);
    if (fence) {
      const end = lines.findIndex((each, index) => index > at && /^ {0,3}```\s*$/.test(each));
      endProse();
      // A fence that is still open is code as well: an answer that streams does not jump when it closes.
      found.push({ kind: "code", text: lines.slice(at + 1, end < 0 ? undefined : end).join("\n"), language: fence[1] ?? "" });
      at = end < 0 ? lines.length : end;
    } else if (INDENTED.test(line) && line.trim() && !(lines[at - 1] ?? "").trim()) {
      endProse();
      let end = at;
      while (end < lines.length && (INDENTED.test(lines[end] ?? "") || !(lines[end] ?? "").trim())) end++;
      const code = lines.slice(at, end).map((each) => each.replace(INDENTED, "")).join("\n");
      found.push({ kind: "code", text: code.trimEnd(), language: "" });
      at = end - 1;
    } else if (line.trim()) prose.push(line);
    else endProse();
  }
  endProse();
  return found;
}

function inline(text: string, mentioned: ReadonlySet<string>): Inline[] {
  const pieces: Inline[] = [];
  let done = 0;
  const plain = (until: number) => {
    if (until > done) pieces.push({ kind: "text", text: text.slice(done, until) });
  };
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, url, , name] = match;
    const piece = pieceOf(code, strong, url, name, mentioned);
    if (!piece) continue;
    plain(match.index);
    pieces.push(piece);
    done = match.index + (piece.kind === "link" ? piece.text.length : whole.length);
  }
  plain(text.length);
  return pieces;
}

function pieceOf(
  code: string | undefined,
  strong: string | undefined,
  url: string | undefined,
  name: string | undefined,
  mentioned: ReadonlySet<string>,
): Inline | null {
  if (code !== undefined) return { kind: "code", text: code };
  if (strong !== undefined) return { kind: "strong", text: strong };
  if (url !== undefined) {
    const shown = withoutTail(url);
    const address = safeAddress(shown);
    return address ? { kind: "link", text: shown, address } : null;
  }
  return name !== undefined && mentioned.has(name) ? { kind: "mention", text: name } : null;
}

/** A sentence's end is not part of its link, nor is a bracket that the link does not open. */
function withoutTail(url: string): string {
  let shown = url.replace(/[.,;:!?*]+$/, "");
  while (shown.endsWith(")") && shown.split(")").length > shown.split("(").length) shown = shown.slice(0, -1).replace(/[.,;:!?]+$/, "");
  return shown;
}

/** Only http and https become links; anything else that somebody sends is shown as text. */
export function safeAddress(url: string | undefined): string {
  if (!url || !/^https?:\/\//i.test(url)) return "";
  try {
    return new URL(url).href;
  } catch {
    return "";
  }
}
