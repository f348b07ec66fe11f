// What a file tool would change, as lines taken out and put in. Pure functions.

export interface Line {
  kind: "old" | "new" | "same";
  text: string;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const lines = (kind: Line["kind"], whole: string): Line[] => whole.split("\n").map((each) => ({ kind, text: each }));

/** The change that a call's arguments spell out; none for tools that change nothing. */
export function changes(tool: string, args: Record<string, unknown>): Line[] {
  if (tool === "write_file") return lines("new", text(args["content"]));
  if (tool === "edit_file") return [...lines("old", text(args["old_text"])), ...lines("new", text(args["new_text"]))];
  if (tool !== "apply_patch") return [];
  return text(args["patch"]).split("\n").map((line) => ({ kind: /^-(?!--)/.test(line) ? "old" : /^\+(?!\+\+)/.test(line) ? "new" : "same", text: /^[-+ ](?![-+]{2})/.test(line) ? line.slice(1) : line }));
}
