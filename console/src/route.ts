// Conversations and pages as keys (`room:general`, `dm:…`, `page:devices`), as addresses of the console, and
// conversations as targets of the hub. Pure functions.

import type { Target } from "./wire";

const BASE = "/console/";
const PAGES = new Set(["nodes", "approvals", "devices", "people"]);

export function split(key: string): [kind: string, id: string] {
  const at = key.indexOf(":");
  return [key.slice(0, at), key.slice(at + 1)];
}

export function targetOf(key: string): Target {
  const [kind, id] = split(key);
  return kind === "dm" ? { kind: "dm", dm_id: id } : { kind: "room", room_id: id };
}

/** The conversation or page that an address shows, or nothing. */
export function keyOfPath(path: string): string {
  const page = /^\/console\/([a-z]+)\/?$/.exec(path)?.[1] ?? "";
  if (PAGES.has(page)) return `page:${page}`;
  const match = /^\/console\/(room|dm)\/([^/]+)\/?$/.exec(path);
  if (!match) return "";
  try {
    return `${match[1]}:${decodeURIComponent(match[2] ?? "")}`;
  } catch {
    return "";
  }
}

export function isPage(key: string): boolean {
  return key.startsWith("page:");
}

export function pathOfKey(key: string): string {
  const [kind, id] = split(key);
  if (kind === "page") return `${BASE}${id}`;
  return id ? `${BASE}${kind}/${encodeURIComponent(id)}` : BASE;
}
