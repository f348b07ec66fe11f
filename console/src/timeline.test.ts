import { expect, test } from "vitest";
import { rowsOf } from "./rows";
import { EMPTY, textOf, withDelta, withEvent, withOlder, withPending, withRun } from "./timeline";
import type { EventView, Message, Run } from "./wire";

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

test("a missed delta is known", () => {
  expect(withDelta(withDelta(EMPTY, delta(0, "hel")), delta(9, "x")).streaming[0]?.hasHole).toBe(true);
});

const run = (state: Run["state"], rest: Partial<Run> = {}): Run => ({
  id: "r",
  agent_id: "guide",
  room: "room:general",
  state,
  created_at: "2026-01-01T00:00:01Z",
  message_id: "m9",
  ...rest,
});

test("a run is shown from its start, and its record fills a hole", () => {
  const started = withEvent(EMPTY, event("run.started", { run: run("leased") as never }));
  expect(started.streaming[0]).toMatchObject({ text: "", messageId: "m9", agentId: "guide" });
  const holed = withDelta(started, delta(5, "lo"));
  expect(holed.streaming[0]?.hasHole).toBe(true);
  const whole = withRun(holed, run("streaming", { partial: "hello lo" }));
  expect(whole.streaming[0]).toMatchObject({ text: "hello lo", hasHole: false });
  expect(withDelta(whole, delta(6, "lo")).streaming[0]?.text).toBe("hello lo");
  expect(withDelta(whole, delta(6, "lo 🦋!")).streaming[0]).toMatchObject({ text: "hello lo 🦋!", length: 11 });
});

test("a run that ends without an answer leaves a note in its place, and no ghost", () => {
  const ended = run("failed", { error: "timeout: too long", partial: "hel", ended_at: "2026-01-01T00:00:02Z" });
  let timeline = withEvent(withDelta(EMPTY, delta(0, "hel")), event("run.finished", { run: ended as never }));
  timeline = withRun(timeline, ended);
  expect(timeline.streaming).toEqual([]);
  expect(timeline.notes).toMatchObject([{ kind: "failed", agentId: "guide", reason: "timeout: too long", partial: "hel" }]);
  expect(withDelta(timeline, delta(3, "lo")).streaming).toEqual([]);
  const late = { ...message("m2", 2), created_at: "2026-01-01T00:00:03Z" };
  expect(rowsOf(withOlder(timeline, [message("m1", 1), late], false, "")).map((row) => row.key)).toEqual(["m1", "r", "m2"]);
  expect(withEvent(withDelta(EMPTY, delta(0, "hel")), event("run.finished", { run: run("done") as never })).streaming).toEqual([]);
});

test("messages of one speaker stand together", () => {
  const other = { ...message("m3", 3), from: { type: "agent", id: "guide" } };
  const rows = rowsOf(withOlder(EMPTY, [message("m1", 1), message("m2", 2), other], false, ""));
  expect(rows.map((row) => row.kind === "message" && row.isContinued)).toEqual([false, true, false]);
  expect(rows.map((row) => Boolean(row.day))).toEqual([true, false, false]);
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
