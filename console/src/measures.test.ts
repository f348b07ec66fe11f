import { expect, test } from "vitest";
import { percent, points, size, span } from "./measures";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [16 * 1024 ** 3, "16 GiB"],
  [120.4 * 1024 ** 2, "120 MiB"],
])("%d bytes are %s", (bytes, said) => expect(size(bytes)).toBe(said));

test.each([
  [12, "12 s"],
  [60, "1 min"],
  [3_661, "1 h 1 min"],
  [3 * 86_400 + 4 * 3_600 + 60, "3 d 4 h"],
])("%d seconds are %s", (seconds, said) => expect(span(seconds)).toBe(said));

test("a share of nothing is nothing", () => {
  expect([percent(1, 0), percent(1, 3), percent(5, 3)]).toEqual([0, 33, 100]);
});

test("a line goes from left to right, full on top", () => {
  expect(points([0, 100, 50], 100, 20)).toBe("0.0,20.0 50.0,0.0 100.0,10.0");
});
