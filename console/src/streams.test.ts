import { expect, test } from "vitest";
import { Streams, WINDOW_BYTES, encodeChunk } from "./streams";
import type { Call } from "./wire";

function bench() {
  const frames: Record<string, unknown>[] = [];
  const chunks: Uint8Array[] = [];
  const link = { isUp: true };
  const carrier = {
    frame: (frame: Record<string, unknown>) => link.isUp && frames.push(frame) > 0,
    chunk: (message: Uint8Array) => link.isUp && chunks.push(message) > 0,
  };
  const streams = new Streams(carrier);
  const said: string[] = [];
  const ends: Call[] = [];
  const stream = streams.watch("call_1", {
    output: (_channel, content) => void said.push(new TextDecoder().decode(content)),
    ended: (call) => ends.push(call),
    failed: () => null,
  });
  const send = (offset: number, text: string) => streams.chunk(encodeChunk(1, 1, offset, new TextEncoder().encode(text)).buffer);
  return { frames, chunks, link, streams, stream, said, ends, send };
}

test("output comes once, whatever is sent again", () => {
  const { said, send, streams, frames } = bench();
  send(0, "hello ");
  streams.resume();
  expect(frames.at(-1)).toMatchObject({ t: "watch", call_id: "call_1", offsets: { "1": 6 } });
  send(0, "hello wo");
  send(8, "rld");
  send(8, "rld");
  expect(said.join("")).toBe("hello world");
});

test("credit is renewed before it is used up", () => {
  const { frames, streams } = bench();
  const half = new Uint8Array(WINDOW_BYTES / 2);
  streams.chunk(encodeChunk(1, 1, 0, half).buffer);
  expect(frames.at(-1)).toEqual({ t: "credit", stream: 1, channel: 1, upto: WINDOW_BYTES * 1.5 });
});

test("input waits for credit, and is sent again after a break", () => {
  const { chunks, frames, link, streams, stream } = bench();
  stream.write(new TextEncoder().encode("ls\n"));
  expect(chunks).toHaveLength(0);
  streams.credit(1, 0, WINDOW_BYTES);
  expect(chunks).toHaveLength(1);
  link.isUp = false;
  stream.write(new TextEncoder().encode("pwd\n"));
  link.isUp = true;
  streams.resume();
  streams.credit(1, 0, WINDOW_BYTES);
  expect(chunks).toHaveLength(3);
  stream.closeInput();
  expect(frames.at(-1)).toEqual({ t: "close_input", stream: 1, size_bytes: 7 });
});

test("a stream goes on in the midst, and where somebody else has written", () => {
  const { frames, chunks, streams, stream } = bench();
  streams.watch("call_2", { output: () => undefined, ended: () => null, failed: () => null }, { 1: 70 });
  expect(frames.at(-1)).toMatchObject({ call_id: "call_2", offsets: { "1": 70 } });
  streams.credit(1, 0, WINDOW_BYTES);
  stream.goOnAt(5);
  stream.write(new TextEncoder().encode("a"));
  stream.goOnAt(3);
  stream.write(new TextEncoder().encode("b"));
  expect(chunks.map((chunk) => Number(new DataView(chunk.buffer).getBigUint64(5)))).toEqual([5, 6]);
});

test("the end is told once", () => {
  const { streams, ends } = bench();
  const call = { id: "call_1", tool: "exec", state: "done", created_at: "", requester: "" } as Call;
  streams.watched(1, call, undefined);
  streams.watched(1, call, undefined);
  expect(ends).toHaveLength(1);
});
