// A conversation as the console shows it: stored messages, what is being sent, what is being written. Pure functions.

import type { Edit, EventView, Message, Redaction, ReactionChange } from "./wire";

export interface Pending {
  message: Message;
  state: "sending" | "failed";
  error?: string;
}

export interface Streaming {
  messageId: string;
  runId: string;
  agentId: string;
  text: string;
  /** A delta was missed; the text has a hole until the message replaces it. */
  hasHole: boolean;
}

export interface Timeline {
  messages: Message[];
  pending: Pending[];
  streaming: Streaming[];
  hasOlder: boolean;
  before: string;
  isLoaded: boolean;
}

export const EMPTY: Timeline = { messages: [], pending: [], streaming: [], hasOlder: false, before: "", isLoaded: false };

export function withOlder(timeline: Timeline, page: Message[], hasOlder: boolean, before: string): Timeline {
  const known = new Set(timeline.messages.map((message) => message.id));
  const older = page.filter((message) => !known.has(message.id));
  const messages = [...older, ...timeline.messages].sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  return { ...timeline, messages, hasOlder, before, isLoaded: true };
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
    case "run.finished":
      return { ...timeline, streaming: timeline.streaming.filter((each) => each.runId !== event.run?.["id"]) };
    default:
      return timeline;
  }
}

function withMessage(timeline: Timeline, message: Message): Timeline {
  const pending = timeline.pending.filter((each) => each.message.id !== message.id);
  const streaming = timeline.streaming.filter((each) => each.messageId !== message.id);
  if (timeline.messages.some((each) => each.id === message.id)) return { ...timeline, pending, streaming };
  return { ...timeline, pending, streaming, messages: [...timeline.messages, message] };
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
  const known = timeline.streaming.find((each) => each.messageId === delta.message_id);
  const length = known ? [...known.text].length : 0;
  const next: Streaming = {
    messageId: delta.message_id,
    runId: delta.run_id,
    agentId: delta.agent_id,
    text: (known?.text ?? "") + delta.text,
    hasHole: (known?.hasHole ?? false) || delta.offset !== length,
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
