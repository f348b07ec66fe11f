import { expect, test } from "vitest";
import { blocks, safeAddress } from "./format";

const prose = (...pieces: unknown[]) => ({ kind: "prose", pieces });
const text = (text: string) => ({ kind: "text", text });

test("code, links, mentions and strong words are found in prose", () => {
  expect(blocks("run `a < b` and **look**, @guide: (see https://a.test/x_(y)).", new Set(["guide"]))).toEqual([
    prose(
      text("run "),
      { kind: "code", text: "a < b" },
      text(" and "),
      { kind: "strong", text: "look" },
      text(", "),
      { kind: "mention", text: "guide" },
      text(": (see "),
      { kind: "link", text: "https://a.test/x_(y)", address: "https://a.test/x_(y)" },
      text(")."),
    ),
  ]);
});

test("fenced and indented code keep their shape; an open fence is code", () => {
  expect(blocks("so:\n\nthus:\n```py\nif a:\n    b\n```\nand\n\n    x\n\n    y\n\nend")).toEqual([
    prose(text("so:")),
    prose(text("thus:")),
    { kind: "code", text: "if a:\n    b", language: "py" },
    prose(text("and")),
    { kind: "code", text: "x\n\ny", language: "" },
    prose(text("end")),
  ]);
  expect(blocks("```\nhalf")).toEqual([{ kind: "code", text: "half", language: "" }]);
});

test("what looks like markup is text", () => {
  for (const each of ["<img src=x onerror=alert(1)>", "a@b.test", "@nobody", "2 ** 3 ** 4", "javascript:alert(1)", "[a](javascript:alert(1))"])
    expect(blocks(each, new Set(["guide"]))).toEqual([prose(text(each))]);
  expect(blocks("")).toEqual([]);
});

test.each([
  ["https://a.test", "https://a.test/"],
  ["HTTP://a.test", "http://a.test/"],
  ["javascript:alert(1)", ""],
  ["data:text/html,x", ""],
  ["//a.test", ""],
  ["https://", ""],
  [undefined, ""],
])("address of %j is %j", (url, address) => {
  expect(safeAddress(url)).toBe(address);
});
