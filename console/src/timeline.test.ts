import { expect, test } from "vitest";
import { EMPTY, textOf, withDelta, withEvent, withOlder, withPending } from "./timeline";
import type { EventView, Message } from "./wire";

const message = (id: string, seq: number, text = id): Message => ({
  id,
  network_id: "local",
  origin: { network_id: "local", message_id: id },
  target: { kind: "room", room_id: "general" },
  from: { type: "human", id: "operator" },
  parts: [{ kind: "text", text }],
  created_at: "2026-01-01T00:00:00Z",
  seq,
});
const event = (type: string, rest: Partial<EventView>): EventView => ({ id: "evt_1", type, network_id: "local", created_at: "", ...rest });
const created = (id: string, seq: number): EventView => event("message.created", { seq, message: message(id, seq) as never });
const delta = (offset: number, text: string) => ({ run_id: "r", agent_id: "guide", message_id: "m9", offset, text });

test("a message that was being sent is shown once when it is stored", () => {
  const sending = withPending(EMPTY, { message: message("m1", 0), state: "sending" });
  const stored = withEvent(sending, created("m1", 5));
  expect(stored.pending).toEqual([]);
  expect(stored.messages.map((each) => each.seq)).toEqual([5]);
  expect(withPending(stored, { message: message("m1", 0), state: "failed" }).pending).toEqual([]);
});

test("the same event twice changes nothing", () => {
  const once = withEvent(EMPTY, created("m1", 5));
  expect(withEvent(once, created("m1", 5)).messages).toHaveLength(1);
});

test("older pages join in order without doubles", () => {
  const live = withEvent(EMPTY, created("m3", 3));
  const whole = withOlder(live, [message("m1", 1), message("m2", 2), message("m3", 3)], false, "");
  expect(whole.messages.map((each) => each.id)).toEqual(["m1", "m2", "m3"]);
});

test("a streamed answer grows, and its message replaces it", () => {
  const grown = withDelta(withDelta(EMPTY, delta(0, "hel")), delta(3, "lo"));
  expect(grown.streaming[0]).toMatchObject({ text: "hello", hasHole: false });
  const done = withEvent(grown, created("m9", 7));
  expect(done.streaming).toEqual([]);
  expect(withDelta(done, delta(5, "late")).streaming).toEqual([]);
});

test("a missed delta is said", () => {
  expect(withDelta(withDelta(EMPTY, delta(0, "hel")), delta(9, "x")).streaming[0]?.hasHole).toBe(true);
});

test("a run that ends without a message leaves no ghost", () => {
  const ended = withEvent(withDelta(EMPTY, delta(0, "hel")), event("run.finished", { run: { id: "r" } }));
  expect(ended.streaming).toEqual([]);
});

test("edits, redactions and reactions fold into the message", () => {
  let timeline = withEvent(EMPTY, created("m1", 1));
  timeline = withEvent(timeline, event("message.edited", { edit: { message_id: "m1", parts: [{ kind: "text", text: "new" }], at: "t", by: "operator", mentions: [] } }));
  expect(textOf(timeline.messages[0]!)).toBe("new");
  const reaction = { message_id: "m1", reaction: "+1", by: "beta" };
  timeline = withEvent(timeline, event("reaction.added", { reaction }));
  expect(timeline.messages[0]?.reactions).toEqual([{ reaction: "+1", by: ["beta"] }]);
  timeline = withEvent(timeline, event("reaction.removed", { reaction }));
  expect(timeline.messages[0]?.reactions).toEqual([]);
  timeline = withEvent(timeline, event("message.redacted", { redaction: { message_id: "m1", by: "operator", at: "t" } }));
  expect(timeline.messages[0]).toMatchObject({ parts: [], redaction: { by: "operator" } });
});
