import { expect, test } from "vitest";
import { keep, kept, shellsOn } from "./shells";
import type { Call } from "./wire";

const call = (rest: Partial<Call>): Call => ({ id: "c1", tool: "shell", state: "streaming", created_at: "", requester: "me", target_id: "n1", has_terminal: true, ...rest });

test("one goes on with one's own terminals that still run, on that machine", () => {
  const own = call({});
  const others = [call({ requester: "you" }), call({ state: "done" }), call({ target_id: "n2" }), call({ has_terminal: false })];
  expect(shellsOn([own, ...others], "n1", "me")).toEqual([own]);
});

test("a tab remembers its terminal, and believes nothing odd", () => {
  const held = new Map<string, string>();
  const storage = { getItem: (key: string) => held.get(key) ?? null, setItem: (key: string, text: string) => held.set(key, text), removeItem: (key: string) => held.delete(key) } as unknown as Storage;
  expect(kept(storage)).toBeNull();
  keep({ target: "n1", name: "build", callId: "c1" }, storage);
  expect(kept(storage)).toEqual({ target: "n1", name: "build", callId: "c1" });
  for (const odd of ["", "{", "[]", "{}", '{"target":"n1"}']) {
    held.set("instar:terminal", odd);
    expect(kept(storage)).toBeNull();
  }
  keep(null, storage);
  expect(held.size).toBe(0);
});
