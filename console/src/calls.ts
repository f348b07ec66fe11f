// Calls of a conversation as its timeline shows them. Pure functions.

import type { Call } from "./wire";

/** Of a live call's output, the last so many characters stay on the page. */
export const TAIL_MAX = 4_000;
const ENDED = new Set(["done", "failed", "cancelled", "expired", "lost"]);

export interface CallCard {
  call: Call;
  /** What it wrote last, while it runs. */
  tail: string;
  /** How far each channel has been followed, and from where. */
  heard: Record<number, number>;
  begun: Record<number, number>;
  /** What the hub has stored of it was read; it may be kept no longer. */
  stored?: "read" | "gone";
}

/** A stretch of what a call wrote, as the hub stored it. */
export interface Stretch {
  channel: number;
  offset: number;
  content: Uint8Array;
}

export function isEnded(call: Call): boolean {
  return ENDED.has(call.state);
}

/** Fold a call as the hub has it now; one that has ended does not come back to life. */
export function withCall(cards: CallCard[], call: Call): CallCard[] {
  const known = cards.find((each) => each.call.id === call.id);
  if (!known) return [...cards, { call, tail: "", heard: {}, begun: {} }];
  if (isEnded(known.call) && !isEnded(call)) return cards;
  // Later events are brief: what was asked for stays as it was first told.
  const now: Call = { ...known.call, ...call, waits_for: call.waits_for ?? "" };
  return cards.map((each) => (each === known ? { ...each, call: now } : each));
}

/** Fold a piece of output; what came before is not shown again. */
export function withOutput(cards: CallCard[], piece: { call_id: string; channel: number; offset: number; size_bytes: number; text: string }): CallCard[] {
  return cards.map((card) => {
    const { channel, offset } = piece;
    const end = offset + piece.size_bytes;
    const heard = card.heard[channel] ?? 0;
    if (card.call.id !== piece.call_id || end <= heard) return card;
    const text = offset < heard ? decoded(encoded(piece.text).subarray(heard - offset)) : piece.text;
    return { ...card, tail: (card.tail + text).slice(-TAIL_MAX), heard: { ...card.heard, [channel]: end }, begun: { [channel]: offset, ...card.begun } };
  });
}

/** Whether the card shows nothing of what its call has written so far, as after a reload. */
export function lacksTail({ call, tail, stored }: CallCard): boolean {
  if (stored || tail || call.stdout || call.stderr) return false;
  return isEnded(call) ? writtenOn(call).length > 0 : call.state === "dispatched" || call.state === "streaming";
}

/** The channels that may hold output: those that are known to, once it has ended. */
export function writtenOn(call: Call): number[] {
  return isEnded(call) ? (call.streams ?? []).filter((stream) => stream.size_bytes > 0).map((stream) => stream.channel) : [1, 2];
}

/** Put what was stored before the page listened in front of what it has heard since; null: it is kept no longer. */
export function withStored(cards: CallCard[], callId: string, stretches: readonly Stretch[] | null): CallCard[] {
  return cards.map((card) => {
    if (card.call.id !== callId) return card;
    if (!stretches) return { ...card, stored: "gone" };
    const [heard, begun] = [{ ...card.heard }, { ...card.begun }];
    let before = "";
    for (const { channel, offset, content } of stretches) {
      const end = offset + content.length;
      const whole = content.subarray(0, Math.max(0, (begun[channel] ?? end) - offset));
      before += decoded(offset ? afterLine(whole) : whole);
      begun[channel] = Math.min(begun[channel] ?? offset, offset);
      heard[channel] = Math.max(heard[channel] ?? 0, end);
    }
    return { ...card, heard, begun, stored: "read", tail: (before + card.tail).slice(-TAIL_MAX) };
  });
}

/** Of output that begins in the midst of something, what comes after the first line's end: nothing is shown by halves. */
export function afterLine(content: Uint8Array): Uint8Array {
  const end = content.indexOf(10);
  return end < content.length - 1 ? content.subarray(end + 1) : content;
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decoded(content: Uint8Array): string {
  return new TextDecoder().decode(content);
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
