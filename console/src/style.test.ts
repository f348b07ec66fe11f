import CSS from "./style.css?raw";
import { expect, test } from "vitest";


function theme(start: string): Record<string, string> {
  const from = CSS.indexOf(start);
  const block = CSS.slice(from, CSS.indexOf("}", from));
  return Object.fromEntries([...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name, colour]) => [name, colour]));
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

const LIGHT = theme(":root {");
const DARK = theme(':root[data-theme="dark"] {');
const TEXT: [string, string][] = [
  ...["page", "panel", "raised", "mark"].flatMap((ground): [string, string][] => [["ink", ground], ["quiet", ground]]),
  ...["page", "panel", "mark"].map((ground): [string, string] => ["accent", ground]),
  ["on-accent", "accent"],
  ["bad", "bad-soft"],
  ["bad", "page"],
  ["bad", "panel"],
  ["busy", "busy-soft"],
  ["busy", "panel"],
];
/** Borders of fields, and dots that stand for a state. */
const SHAPES: [string, string][] = [["edge", "panel"], ["edge", "page"], ["good", "panel"], ["busy", "panel"], ["bad", "panel"]];

test("the dark colours are the same, chosen or by the system", () => {
  expect(theme(':root:not([data-theme="light"])')).toEqual(DARK);
  expect(Object.keys(LIGHT)).toEqual(Object.keys(DARK));
});

test.each([["light", LIGHT], ["dark", DARK]])("contrast is AA in the %s theme", (_, colours) => {
  const faint = (pairs: [string, string][], least: number) => pairs.filter(([one, other]) => contrast(colours[one]!, colours[other]!) < least);
  expect(faint(TEXT, 4.5)).toEqual([]);
  expect(faint(SHAPES, 3)).toEqual([]);
});
