import { expect, test } from "vitest";
import { quoted, visible } from "./visible";

const shown = (text: string) => visible(text).map((run) => run.text).join("");

test.each([
  ["rm -rf /", "rm -rf /"],
  ["a\tb\nc", "a\tb\nc"],
  ["ls \u202etxt.exe", "ls ⟨U+202E⟩txt.exe"],
  ["a\u0000b\u001b[2Jc", "a⟨U+0000⟩b⟨U+001B⟩[2Jc"],
  ["line\rother", "line⟨U+000D⟩other"],
  ["zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"],
  ["\u{e0041}", "⟨U+E0041⟩"],
  ["naïve 日本 🎉", "naïve 日本 🎉"],
])("%j is shown whole", (text, expected) => expect(shown(text)).toBe(expected));

test("what is hidden is marked as such", () => {
  expect(visible("a\u202eb").map((run) => run.isHidden)).toEqual([false, true, false]);
});

test("arguments are quoted as a shell would need them", () => {
  expect(quoted(["uname", "-a"])).toBe("uname -a");
  expect(quoted(["echo", "a b", "", "it's", "$HOME"])).toBe("echo 'a b' '' 'it'\\''s' '$HOME'");
});
