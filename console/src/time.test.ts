import { expect, test } from "vitest";
import { ago, countdown } from "./time";

const NOW = Date.parse("2026-01-02T00:00:00Z");

test.each([
  [undefined, "never"],
  ["", "never"],
  ["2026-01-02T00:00:05Z", "just now"],
  ["2026-01-01T23:59:01Z", "just now"],
  ["2026-01-01T23:59:00Z", "1 min ago"],
  ["2026-01-01T22:00:00Z", "2 h ago"],
  ["2025-12-31T00:00:00Z", "2 d ago"],
])("%s was %s", (at, said) => {
  expect(ago(at, NOW)).toBe(said);
});

test.each([
  [undefined, ""],
  ["2026-01-02T00:00:00Z", ""],
  ["2026-01-01T00:00:00Z", ""],
  ["2026-01-02T00:00:00.4Z", "0:01"],
  ["2026-01-02T00:09:05Z", "9:05"],
  ["2026-01-02T01:00:00Z", "60:00"],
])("until %s there is %j left", (until, left) => {
  expect(countdown(until, NOW)).toBe(left);
});
