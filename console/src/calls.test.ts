import { expect, test } from "vitest";
import { outcome, plainOutput, withCall, withOutput } from "./calls";
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
