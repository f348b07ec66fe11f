// A conversation as the console shows it: stored messages, what is being sent, what is being written. Pure functions.

import type { CallCard } from "./calls";
import type { Edit, EventView, Message, Redaction, ReactionChange, Run } from "./wire";

export interface Pending {
  message: Message;
  /** `waiting`: the hub cannot be reached; it is sent when it can. */
  state: "sending" | "waiting" | "failed";
  error?: string;
}

/** Something that happened between the messages: a run that did not end with an answer, a stopped loop. */
export interface Note {
  id: string;
  kind: "failed" | "cancelled" | "loop";
  at: number;
  agentId: string;
  reason: string;
  partial: string;
}

export interface Streaming {
  messageId: string;
  runId: string;
  agentId: string;
  text: string;
  /** In characters as the hub counts them: code points. */
  length: number;
  /** A delta was missed; the text has a hole until the run's own record or the message replaces it. */
  hasHole: boolean;
}

export interface Timeline {
  messages: Message[];
  pending: Pending[];
  streaming: Streaming[];
  notes: Note[];
  calls: CallCard[];
  hasOlder: boolean;
  before: string;
  isLoaded: boolean;
  /** Why it cannot be shown. */
  error: string;
}

export const EMPTY: Timeline = {
  messages: [],
  pending: [],
  streaming: [],
  notes: [],
  calls: [],
  hasOlder: false,
  before: "",
  isLoaded: false,
  error: "",
};

export function withOlder(timeline: Timeline, page: Message[], hasOlder: boolean, before: string): Timeline {
  const known = new Set(timeline.messages.map((message) => message.id));
  const older = page.filter((message) => !known.has(message.id));
  const messages = [...older, ...timeline.messages].sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  const stored = new Set(messages.map((message) => message.id));
  const pending = timeline.pending.filter((each) => !stored.has(each.message.id));
  const streaming = timeline.streaming.filter((each) => !stored.has(each.messageId));
  return { ...timeline, messages, pending, streaming, hasOlder, before, isLoaded: true, error: "" };
}

/** Fold one event of the conversation into the timeline. */
export function withEvent(timeline: Timeline, event: EventView): Timeline {
  switch (event.type) {
    case "message.created":
      return withMessage(timeline, { ...(event.message as unknown as Message), seq: event.seq });
    case "message.edited": {
      const edit = event.edit as unknown as Edit;
      return patched(timeline, edit.message_id, (message) => ({ ...message, parts: edit.parts, edited_at: edit.at }));
    }
    case "message.redacted": {
      const redaction = event.redaction as unknown as Redaction;
      return patched(timeline, redaction.message_id, (message) => ({ ...message, parts: [], redaction }));
    }
    case "reaction.added":
    case "reaction.removed":
      return withReaction(timeline, event.reaction as unknown as ReactionChange, event.type === "reaction.added");
    case "run.started":
    case "run.finished":
      return withRun(timeline, event.run as unknown as Run);
    case "loop.stopped": {
      const { agents, reason } = event.loop as { agents: string[]; reason: string };
      const names = agents.map((fqid) => fqid.slice(fqid.lastIndexOf("/") + 1)).join(", ");
      return withNote(timeline, { id: event.id, kind: "loop", at: Date.parse(event.created_at), agentId: names, reason, partial: "" });
    }
    default:
      return timeline;
  }
}

function withMessage(timeline: Timeline, message: Message): Timeline {
  const pending = timeline.pending.filter((each) => each.message.id !== message.id);
  const streaming = timeline.streaming.filter((each) => each.messageId !== message.id);
  const known = timeline.messages.find((each) => each.id === message.id);
  if (!known) return { ...timeline, pending, streaming, messages: [...timeline.messages, message] };
  // The hub's own words replace what was sent from here; edits that a page already brought stay.
  const now = known.network_id ? known : message;
  return { ...timeline, pending, streaming, messages: timeline.messages.map((each) => (each === known ? now : each)) };
}

/** Fold a run as the hub has it: one under way is shown with what it has said, one that ended badly leaves a note. */
export function withRun(timeline: Timeline, run: Run): Timeline {
  const streaming = timeline.streaming.filter((each) => each.runId !== run.id);
  if (run.state === "failed" || run.state === "cancelled") {
    const at = Date.parse(run.ended_at || run.created_at);
    const note: Note = { id: run.id, kind: run.state, at, agentId: run.agent_id, reason: run.error ?? "", partial: run.partial ?? "" };
    return withNote({ ...timeline, streaming }, note);
  }
  if (run.state === "done" || timeline.messages.some((each) => each.id === run.message_id)) return { ...timeline, streaming };
  const known = timeline.streaming.find((each) => each.runId === run.id);
  const text = run.partial ?? "";
  const length = [...text].length;
  if (known && known.length > length) return timeline;
  const now: Streaming = { messageId: run.message_id ?? run.id, runId: run.id, agentId: run.agent_id, text, length, hasHole: false };
  return { ...timeline, streaming: [...streaming, now] };
}

function withNote(timeline: Timeline, note: Note): Timeline {
  return { ...timeline, notes: [...timeline.notes.filter((each) => each.id !== note.id), note] };
}

function patched(timeline: Timeline, id: string, change: (message: Message) => Message): Timeline {
  return { ...timeline, messages: timeline.messages.map((message) => (message.id === id ? change(message) : message)) };
}

function withReaction(timeline: Timeline, change: ReactionChange, isAdded: boolean): Timeline {
  return patched(timeline, change.message_id, (message) => {
    const others = (message.reactions ?? []).filter((each) => each.reaction !== change.reaction);
    const by = (message.reactions ?? []).find((each) => each.reaction === change.reaction)?.by ?? [];
    const now = isAdded ? [...new Set([...by, change.by])] : by.filter((each) => each !== change.by);
    return { ...message, reactions: now.length ? [...others, { reaction: change.reaction, by: now }] : others };
  });
}

/** Fold a delta of a streaming answer; one that does not join marks a hole. */
export function withDelta(
  timeline: Timeline,
  delta: { run_id: string; agent_id: string; message_id: string; offset: number; text: string },
): Timeline {
  if (timeline.messages.some((message) => message.id === delta.message_id)) return timeline;
  if (timeline.notes.some((note) => note.id === delta.run_id)) return timeline;
  const known = timeline.streaming.find((each) => each.messageId === delta.message_id);
  const length = known?.length ?? 0;
  const size = [...delta.text].length;
  // What a run's own record already brought comes again as a delta that was under way.
  if (delta.offset + size <= length) return timeline;
  const next: Streaming = {
    messageId: delta.message_id,
    runId: delta.run_id,
    agentId: delta.agent_id,
    text: (known?.text ?? "") + [...delta.text].slice(Math.max(0, length - delta.offset)).join(""),
    length: delta.offset + size,
    hasHole: (known?.hasHole ?? false) || delta.offset > length,
  };
  return { ...timeline, streaming: [...timeline.streaming.filter((each) => each.messageId !== delta.message_id), next] };
}

export function withPending(timeline: Timeline, pending: Pending): Timeline {
  const others = timeline.pending.filter((each) => each.message.id !== pending.message.id);
  if (timeline.messages.some((message) => message.id === pending.message.id)) return { ...timeline, pending: others };
  return { ...timeline, pending: [...others, pending] };
}

/** The plain text of a message, files and links named. */
export function textOf(message: Message): string {
  return message.parts
    .map((part) => part.text || part.url || part.filename || (part.data ? JSON.stringify(part.data, null, 1) : ""))
    .filter(Boolean)
    .join("\n");
}
