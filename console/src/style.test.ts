import CSS from "./style.css?raw";
import { expect, test } from "vitest";


const COLOURS = [...CSS.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];

function theme(at: 2 | 3): Record<string, string> {
  return Object.fromEntries(COLOURS.map((found) => [found[1], found[at]]));
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

const LIGHT = theme(2);
const DARK = theme(3);
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

test("each colour is set once, for both themes", () => {
  const names = COLOURS.map((found) => found[1]);
  expect(names.length).toBeGreaterThan(10);
  expect(new Set(names).size).toBe(names.length);
  expect(CSS.match(/^ +--(?!color-|font-)[a-z-]+:/gm)).toHaveLength(names.length);
  expect(CSS.match(/#[0-9a-f]{3,8}\b/g)).toHaveLength(2 * names.length);
});

test.each([["light", LIGHT], ["dark", DARK]])("contrast is AA in the %s theme", (_, colours) => {
  const faint = (pairs: [string, string][], least: number) => pairs.filter(([one, other]) => contrast(colours[one]!, colours[other]!) < least);
  expect(faint(TEXT, 4.5)).toEqual([]);
  expect(faint(SHAPES, 3)).toEqual([]);
});
