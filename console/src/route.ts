// Conversations as keys (`room:general`, `dm:…`), as addresses of the console, and as targets of the hub. Pure functions.

import type { Target } from "./wire";

const BASE = "/console/";

export function split(key: string): [kind: string, id: string] {
  const at = key.indexOf(":");
  return [key.slice(0, at), key.slice(at + 1)];
}

export function targetOf(key: string): Target {
  const [kind, id] = split(key);
  return kind === "dm" ? { kind: "dm", dm_id: id } : { kind: "room", room_id: id };
}

/** The conversation that an address shows, or nothing. */
export function keyOfPath(path: string): string {
  const match = /^\/console\/(room|dm)\/([^/]+)\/?$/.exec(path);
  if (!match) return "";
  try {
    return `${match[1]}:${decodeURIComponent(match[2] ?? "")}`;
  } catch {
    return "";
  }
}

export function pathOfKey(key: string): string {
  const [kind, id] = split(key);
  return id ? `${BASE}${kind}/${encodeURIComponent(id)}` : BASE;
}
