import { expect, test } from "vitest";
import { choices, chosen } from "./choices";
import type { Node, SshTarget } from "./wire";

const NODES = [
  { id: "local", name: "local", kind: "local", is_connected: true },
  { id: "dev_1", name: "Attic", kind: "node", is_connected: true, platform: "linux", alias: "attic" },
  { id: "dev_2", name: "Cellar", kind: "node" },
] as Node[];
const TARGETS = [{ id: "sst_1", label: "build", address: "b", mode: "system", created_at: "" }] as SshTarget[];
const FOUND = choices(NODES, TARGETS);

test("local is first, SSH is marked, no choice is last", () => {
  expect(FOUND.map((each) => `${each.target}|${each.label}|${each.note}`)).toEqual([
    "local|Local|the hub's own machine",
    "dev_1|Attic|linux",
    "dev_2|Cellar|not connected",
    "ssh:build|build|OpenSSH target",
    "|Default route|as the agent or the hub is set",
  ]);
});

test.each([
  ["", "Default route"],
  ["local", "Local"],
  ["dev_1", "Attic"],
  ["attic", "Attic"],
  ["CELLAR", "Cellar"],
  ["ssh:build", "build"],
  ["dev_9", "dev_9 (gone)"],
  ["gpu=yes", "gpu=yes"],
])("%s is shown as %s", (wanted, label) => expect(chosen(FOUND, NODES, wanted).label).toBe(label));
