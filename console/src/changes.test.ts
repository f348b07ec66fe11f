import { expect, test } from "vitest";
import { changes } from "./changes";

const said = (tool: string, args: Record<string, unknown>) => changes(tool, args).map(({ kind, text }) => `${kind} ${text}`);

test("an edit takes out and puts in", () => {
  expect(said("edit_file", { path: "a", old_text: "one\ntwo", new_text: "three" })).toEqual(["old one", "old two", "new three"]);
});

test("a patch says itself what it does", () => {
  expect(said("apply_patch", { patch: "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n same" })).toEqual(["same --- a/x", "same +++ b/x", "same @@ -1 +1 @@", "old old", "new new", "same same"]);
});

test("other tools change nothing here", () => expect(said("exec", { argv: ["ls"] })).toEqual([]));
