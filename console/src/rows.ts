// The rows of a conversation in the order in which they are shown. Pure functions.

import type { Note, Pending, Streaming, Timeline } from "./timeline";
import type { Message } from "./wire";

export type Row = (
  | { kind: "message"; message: Message; isContinued: boolean }
  | { kind: "note"; note: Note }
  | { kind: "streaming"; streaming: Streaming }
  | { kind: "pending"; pending: Pending; isContinued: boolean }
) & { key: string; day: string };

const TOGETHER_MS = 5 * 60_000;

/** Stored messages and notes by time, then what is being written, then what is being sent. */
export function rowsOf(timeline: Timeline): Row[] {
  const rows: Row[] = [];
  const since = timeline.hasOlder ? Date.parse(timeline.messages[0]?.created_at ?? "") : 0;
  const notes = timeline.notes.filter((note) => !(note.at < since)).sort((a, b) => a.at - b.at);
  let day = "";
  let next = 0;
  const dayOf = (at: number) => {
    const today = new Date(at).toDateString();
    if (today === day) return "";
    day = today;
    return today;
  };
  const notesBefore = (until: number) => {
    for (let note = notes[next]; note && note.at < until; note = notes[++next])
      rows.push({ kind: "note", key: note.id, note, day: dayOf(note.at) });
  };
  for (const message of timeline.messages) {
    const at = Date.parse(message.created_at);
    notesBefore(at);
    const changed = dayOf(at);
    const isContinued = !changed && follows(rows.at(-1), message, at);
    rows.push({ kind: "message", key: message.id, message, day: changed, isContinued });
  }
  notesBefore(Infinity);
  for (const streaming of timeline.streaming) rows.push({ kind: "streaming", key: streaming.messageId, streaming, day: "" });
  for (const pending of timeline.pending) {
    const isContinued = follows(rows.at(-1), pending.message, Date.parse(pending.message.created_at));
    rows.push({ kind: "pending", key: pending.message.id, pending, day: "", isContinued });
  }
  return rows;
}

function follows(before: Row | undefined, message: Message, at: number): boolean {
  const last = before?.kind === "message" ? before.message : before?.kind === "pending" ? before.pending.message : undefined;
  return last !== undefined && last.from.id === message.from.id && last.from.type === message.from.type && at - Date.parse(last.created_at) < TOGETHER_MS;
}
