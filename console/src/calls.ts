// Calls of a conversation as its timeline shows them. Pure functions.

import type { Call } from "./wire";

/** Of a live call's output, the last so many characters stay on the page. */
const TAIL_MAX = 4_000;
const ENDED = new Set(["done", "failed", "cancelled", "expired", "lost"]);

export interface CallCard {
  call: Call;
  /** What it wrote last, while it runs. */
  tail: string;
  /** How far each channel has been followed. */
  heard: Record<number, number>;
}

export function isEnded(call: Call): boolean {
  return ENDED.has(call.state);
}

/** Fold a call as the hub has it now; one that has ended does not come back to life. */
export function withCall(cards: CallCard[], call: Call): CallCard[] {
  const known = cards.find((each) => each.call.id === call.id);
  if (!known) return [...cards, { call, tail: "", heard: {} }];
  if (isEnded(known.call) && !isEnded(call)) return cards;
  // Later events are brief: what was asked for stays as it was first told.
  const now: Call = { ...known.call, ...call, waits_for: call.waits_for ?? "" };
  return cards.map((each) => (each === known ? { ...each, call: now } : each));
}

/** Fold a piece of output; what came before is not shown again. */
export function withOutput(cards: CallCard[], piece: { call_id: string; channel: number; offset: number; size_bytes: number; text: string }): CallCard[] {
  return cards.map((card) => {
    const end = piece.offset + piece.size_bytes;
    if (card.call.id !== piece.call_id || end <= (card.heard[piece.channel] ?? 0)) return card;
    return { ...card, tail: (card.tail + piece.text).slice(-TAIL_MAX), heard: { ...card.heard, [piece.channel]: end } };
  });
}

/** Escape sequences steer terminals; in a page they are only noise. */
export function plainOutput(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g, "").replace(/\r\n/g, "\n").replace(/[^\n]*\r/g, "");
}

/** What became of it, in a few words. */
export function outcome(call: Call): string {
  if (call.state === "done") return call.signal ? `ended by SIG${call.signal.replace(/^SIG/, "")}` : call.exit_status ? `exit status ${call.exit_status}` : "done";
  if (call.state === "failed") return call.error ? `${call.error.message}` : "failed";
  if (call.state === "cancelled") return "cancelled";
  if (call.state === "expired") return call.has_run ? "stopped: its time was over" : "expired before it ran";
  if (call.state === "lost") return "lost: nobody can say how it ended";
  if (call.waits_for) return call.waits_for;
  return call.state === "awaiting_approval" ? "waits for an approval" : call.state === "admitted" ? "starting" : "running";
}
