// Terminals of this person that still run, and the one that this tab shows: it comes back after a reload.

import { isEnded } from "./calls";
import type { Call } from "./wire";

export interface OpenShell {
  target: string;
  name: string;
  /** The call to go on with; empty: a new shell. */
  callId: string;
}

const KEPT = "instar:terminal";

/** Terminals on a machine that this person may go on with, newest first. */
export function shellsOn(calls: readonly Call[], target: string, me: string): Call[] {
  return calls.filter((call) => call.has_terminal && !isEnded(call) && call.requester === me && call.target_id === target);
}

/** Remember what this tab shows, until it is closed for good; null: nothing. */
export function keep(shell: OpenShell | null, storage: Storage = window.sessionStorage): void {
  if (shell) storage.setItem(KEPT, JSON.stringify(shell));
  else storage.removeItem(KEPT);
}

export function kept(storage: Storage = window.sessionStorage): OpenShell | null {
  try {
    const { target, name, callId } = JSON.parse(storage.getItem(KEPT) ?? "null") as OpenShell;
    return target && callId ? { target, name, callId } : null;
  } catch {
    return null;
  }
}
