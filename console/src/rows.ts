// The rows of a conversation in the order in which they are shown. Pure functions.

import type { CallCard } from "./calls";
import type { Note, Pending, Streaming, Timeline } from "./timeline";
import type { Message } from "./wire";

export type Row = (
  | { kind: "message"; message: Message; isContinued: boolean }
  | { kind: "note"; note: Note }
  | { kind: "call"; card: CallCard }
  | { kind: "streaming"; streaming: Streaming }
  | { kind: "pending"; pending: Pending; isContinued: boolean }
) & { key: string; day: string };

const TOGETHER_MS = 5 * 60_000;

/** Stored messages, calls and notes by time, then what is being written, then what is being sent. */
export function rowsOf(timeline: Timeline): Row[] {
  const rows: Row[] = [];
  const since = timeline.hasOlder ? Date.parse(timeline.messages[0]?.created_at ?? "") : 0;
  const between = besides(timeline).filter(({ at }) => !(at < since));
  let day = "";
  let next = 0;
  const dayOf = (at: number) => {
    const today = new Date(at).toDateString();
    if (today === day) return "";
    day = today;
    return today;
  };
  const besidesBefore = (until: number) => {
    for (let each = between[next]; each && each.at < until; each = between[++next]) rows.push({ ...each.row, day: dayOf(each.at) });
  };
  for (const message of timeline.messages) {
    const at = Date.parse(message.created_at);
    besidesBefore(at);
    const changed = dayOf(at);
    const isContinued = !changed && follows(rows.at(-1), message, at);
    rows.push({ kind: "message", key: message.id, message, day: changed, isContinued });
  }
  besidesBefore(Infinity);
  for (const streaming of timeline.streaming) rows.push({ kind: "streaming", key: streaming.messageId, streaming, day: "" });
  for (const pending of timeline.pending) {
    const isContinued = follows(rows.at(-1), pending.message, Date.parse(pending.message.created_at));
    rows.push({ kind: "pending", key: pending.message.id, pending, day: "", isContinued });
  }
  return rows;
}

type Beside = { at: number; row: { kind: "note"; key: string; note: Note } | { kind: "call"; key: string; card: CallCard } };

/** What stands between the messages, by time. */
function besides(timeline: Timeline): Beside[] {
  const notes = timeline.notes.map((note): Beside => ({ at: note.at, row: { kind: "note", key: note.id, note } }));
  const calls = timeline.calls.map((card): Beside => ({ at: Date.parse(card.call.created_at), row: { kind: "call", key: card.call.id, card } }));
  return [...notes, ...calls].sort((a, b) => a.at - b.at);
}

function follows(before: Row | undefined, message: Message, at: number): boolean {
  const last = before?.kind === "message" ? before.message : before?.kind === "pending" ? before.pending.message : undefined;
  return last !== undefined && last.from.id === message.from.id && last.from.type === message.from.type && at - Date.parse(last.created_at) < TOGETHER_MS;
}
