import { expect, test } from "vitest";
import { afterLine, lacksTail, outcome, plainOutput, withCall, withOutput, withStored } from "./calls";
import type { Call } from "./wire";

const call = (rest: Partial<Call>): Call => ({ id: "c1", tool: "exec", state: "streaming", created_at: "2026-01-01T00:00:00Z", requester: "op", ...rest });
const piece = (offset: number, text: string) => ({ call_id: "c1", channel: 1, offset, size_bytes: text.length, text });

test("a call is shown once, and an end is for ever", () => {
  const ended = withCall(withCall([], call({})), call({ state: "done", exit_status: 0 }));
  expect(withCall(ended, call({ state: "streaming" }))).toBe(ended);
  expect(ended).toHaveLength(1);
});

test("output grows once", () => {
  const cards = [piece(0, "one "), piece(4, "two"), piece(0, "one ")].reduce(withOutput, withCall([], call({})));
  expect(cards[0]?.tail).toBe("one two");
});

test.each([
  ["\u001b[31mred\u001b[0m", "red"],
  ["\u001b]0;title\u0007text", "text"],
  ["10%\r50%\r100%\nend", "100%\nend"],
  ["a\r\nb", "a\nb"],
])("%j has no noise", (text, plain) => expect(plainOutput(text)).toBe(plain));

test.each([
  [{ state: "done", exit_status: 0 }, "done"],
  [{ state: "done", exit_status: 3 }, "exit status 3"],
  [{ state: "done", signal: "KILL" }, "ended by SIGKILL"],
  [{ state: "failed", error: { code: "denied", message: "it was denied" } }, "it was denied"],
  [{ state: "awaiting_approval" }, "waits for an approval"],
  [{ state: "lost" }, "lost: nobody can say how it ended"],
] as [Partial<Call>, string][])("%j is said as %s", (rest, said) => expect(outcome(call(rest))).toBe(said));

const stretch = (offset: number, text: string, channel = 1) => ({ channel, offset, content: new TextEncoder().encode(text) });

test("what was stored comes before what was heard meanwhile, once", () => {
  const loaded = withCall([], call({}));
  expect(lacksTail(loaded[0]!)).toBe(true);
  const heard = withOutput(loaded, piece(4, "two "));
  const mended = withStored(heard, "c1", [stretch(0, "one two ")]);
  expect(mended[0]?.tail).toBe("one two ");
  expect(withOutput(mended, piece(8, "three"))[0]?.tail).toBe("one two three");
});

test("what comes late is cut where the stored output ends", () => {
  const read = withStored(withCall([], call({})), "c1", [stretch(0, "one tw"), stretch(0, "!", 2)]);
  expect(read[0]?.tail).toBe("one tw!");
  expect(withOutput(read, piece(4, "two"))[0]?.tail).toBe("one tw!o");
  expect(lacksTail(read[0]!)).toBe(false);
});

test("the end of long output begins with a whole line, and output that is gone is not asked for again", () => {
  const cards = withCall([], call({ state: "done", streams: [{ channel: 1, size_bytes: 900 }] }));
  expect(lacksTail(cards[0]!)).toBe(true);
  expect(withStored(cards, "c1", [stretch(880, "alf\nwhole")])[0]?.tail).toBe("whole");
  expect(lacksTail(withStored(cards, "c1", null)[0]!)).toBe(false);
  expect(lacksTail(withCall([], call({ state: "done" }))[0]!)).toBe(false);
});

test("what begins amid a line goes on with the next", () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const bytes = (said: string) => new TextEncoder().encode(said);
  expect(text(afterLine(bytes("lf of it\r\nwhole\n")))).toBe("whole\n");
  expect(text(afterLine(bytes("one line")))).toBe("one line");
  expect(text(afterLine(bytes("one line\n")))).toBe("one line\n");
});
