import { expect, test } from "vitest";
import { isPage, keyOfPath, pathOfKey, split, targetOf } from "./route";

test.each([
  ["/console/room/general", "room:general"],
  ["/console/room/v1.2", "room:v1.2"],
  ["/console/dm/dm_1", "dm:dm_1"],
  ["/console/room/a%3Ab", "room:a:b"],
  ["/console/room/%E0%A4%A", ""],
  ["/console/room/a/b", ""],
  ["/console/", ""],
  ["/console/devices", "page:devices"],
  ["/console/people/", "page:people"],
  ["/console/devices/x", ""],
  ["/console/room", ""],
])("%s shows %j", (path, key) => {
  expect(keyOfPath(path)).toBe(key);
});

test("keys make their way there and back", () => {
  for (const key of ["room:general", "dm:x", "room:a:b/c", "page:devices", "page:people"]) expect(keyOfPath(pathOfKey(key))).toBe(key);
  expect(pathOfKey("room:")).toBe("/console/");
  expect(split("room:a:b")).toEqual(["room", "a:b"]);
  expect([isPage("page:devices"), isPage("room:page")]).toEqual([true, false]);
  expect(targetOf("dm:x")).toEqual({ kind: "dm", dm_id: "x" });
});
