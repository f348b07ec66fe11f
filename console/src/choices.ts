// Where the calls of a conversation may go, and where they go now. Pure functions.

import type { Node, SshTarget } from "./wire";

export interface Choice {
  /** What `routes.set` is told; empty: no choice here. */
  target: string;
  label: string;
  note: string;
}

const LOCAL: Choice = { target: "local", label: "Local", note: "the hub's own machine" };
const NONE: Choice = { target: "", label: "Default route", note: "as the agent or the hub is set" };

/** Local first, then nodes, then SSH targets, then no choice. */
export function choices(nodes: readonly Node[], targets: readonly SshTarget[]): Choice[] {
  const remote = nodes.filter((node) => node.kind === "node");
  return [
    LOCAL,
    ...remote.map((node) => ({ target: node.id, label: node.name, note: node.is_connected ? (node.platform ?? "") : "not connected" })),
    ...targets.map((target) => ({ target: `ssh:${target.label}`, label: target.label, note: target.is_blocked ? "OpenSSH target, blocked" : "OpenSSH target" })),
    NONE,
  ];
}

/** The choice that was made, told even when what it names is gone. */
export function chosen(found: readonly Choice[], nodes: readonly Node[], wanted: string): Choice {
  const node = nodes.find((each) => each.alias === wanted || each.name.toLowerCase() === wanted.toLowerCase());
  const known = found.find((each) => each.target === wanted || each.target === node?.id);
  if (known) return known;
  const isExpression = /[=!,]/.test(wanted);
  return { target: wanted, label: isExpression ? wanted : `${wanted} (gone)`, note: isExpression ? "whichever fits" : "calls fail until it is back" };
}
