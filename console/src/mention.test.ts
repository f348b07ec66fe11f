import { expect, test } from "vitest";
import { mentionAt } from "./mention";

test.each([
  ["@", 1, ""],
  ["@be", 3, "be"],
  ["hello @be", 9, "be"],
  ["(@be", 4, "be"],
  ["a@be", 4, null],
  ["@be done", 8, null],
  ["no mention", 10, null],
])("mention in %j at %i", (text, caret, expected) => {
  expect(mentionAt(text, caret)).toBe(expected);
});
