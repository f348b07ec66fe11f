// Watching calls over the native link: output as binary chunks with credit, input the other way, across broken links.

import type { Call, ErrorBody } from "./wire";

export const WINDOW_BYTES = 4_194_304;
const HEAD_BYTES = 13;
const CHUNK_MAX_BYTES = 262_144;
const STDIN = 0;

export interface Watcher {
  /** Take what was written; more of it is asked for once a returned promise is kept. */
  output(channel: number, content: Uint8Array): void | Promise<void>;
  ended(call: Call): void;
  failed(error: ErrorBody): void;
}

/** What carries frames; false when there is no link now. */
export interface Carrier {
  frame(frame: Record<string, unknown>): boolean;
  chunk(message: Uint8Array<ArrayBuffer>): boolean;
}

export function encodeChunk(stream: number, channel: number, offset: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(HEAD_BYTES + content.length);
  const head = new DataView(message.buffer);
  head.setUint32(0, stream);
  head.setUint8(4, channel);
  head.setBigUint64(5, BigInt(offset));
  message.set(content, HEAD_BYTES);
  return message;
}

/** One watched call. */
export class CallStream {
  /** How far each channel has been read. */
  readonly #read = new Map<number, number>();
  readonly #granted = new Map<number, number>();
  /** Input that the hub may not have: where it begins, and its bytes. */
  #kept: { offset: number; content: Uint8Array }[] = [];
  #written = 0;
  #sent = 0;
  #mayGoTo = 0;
  #size: number | null = null;

  constructor(
    readonly id: number,
    readonly callId: string,
    readonly watcher: Watcher,
    readonly carrier: Carrier,
    readonly leave: () => void,
    begins: Readonly<Record<number, number>> = {},
  ) {
    for (const [channel, at] of Object.entries(begins)) this.#read.set(Number(channel), at);
  }

  /** Ask for the output from where it was read to; again after every break. */
  begin(): void {
    const offsets = Object.fromEntries([...this.#read].map(([channel, at]) => [String(channel), at]));
    this.#granted.clear();
    this.#mayGoTo = 0;
    this.#sent = this.#kept[0]?.offset ?? this.#written;
    this.carrier.frame({ t: "watch", stream: this.id, call_id: this.callId, offsets, credit_bytes: WINDOW_BYTES });
  }

  received(channel: number, offset: number, content: Uint8Array): void {
    const at = this.#read.get(channel) ?? 0;
    const end = offset + content.length;
    const now = Math.max(at, end);
    this.#read.set(channel, now);
    if (!this.#granted.has(channel)) this.#granted.set(channel, at + WINDOW_BYTES);
    // What was dropped at the hub's cap is a hole; what came twice is not shown twice.
    const taken = end > at ? this.watcher.output(channel, content.subarray(Math.max(0, at - offset))) : undefined;
    if (taken) void taken.then(() => this.#grant(channel, now));
    else this.#grant(channel, now);
  }

  #grant(channel: number, taken: number): void {
    if ((this.#granted.get(channel) ?? Infinity) - taken > WINDOW_BYTES / 2) return;
    this.#granted.set(channel, taken + WINDOW_BYTES);
    this.carrier.frame({ t: "credit", stream: this.id, channel, upto: taken + WINDOW_BYTES });
  }

  /** The hub takes input up to there; what lies a window before it has arrived. */
  credited(channel: number, upto: number): void {
    if (channel !== STDIN) return;
    this.#mayGoTo = Math.max(this.#mayGoTo, upto);
    this.#kept = this.#kept.filter(({ offset, content }) => offset + content.length > upto - WINDOW_BYTES);
    this.#flush();
  }

  /** Somebody else wrote as well, and the input stands there now; what this page has yet to send comes after it. */
  goOnAt(offset: number): void {
    if (offset <= this.#written) return;
    // The hub has all that was sent from here: it stands before that offset.
    this.#kept = [];
    this.#written = this.#sent = offset;
  }

  write(content: Uint8Array): void {
    for (let at = 0; at < content.length; at += CHUNK_MAX_BYTES) {
      const piece = content.subarray(at, at + CHUNK_MAX_BYTES);
      this.#kept.push({ offset: this.#written, content: piece });
      this.#written += piece.length;
    }
    this.#flush();
  }

  closeInput(): void {
    this.#size = this.#written;
    this.#flush();
  }

  close(): void {
    this.carrier.frame({ t: "unwatch", stream: this.id });
    this.leave();
  }

  #flush(): void {
    for (const { offset, content } of this.#kept) {
      if (offset < this.#sent) continue;
      if (offset + content.length > this.#mayGoTo) return;
      if (!this.carrier.chunk(encodeChunk(this.id, STDIN, offset, content))) return;
      this.#sent = offset + content.length;
    }
    if (this.#size !== null && this.#sent === this.#size) this.carrier.frame({ t: "close_input", stream: this.id, size_bytes: this.#size });
  }
}

/** All watched calls of one link. */
export class Streams {
  readonly #streams = new Map<number, CallStream>();
  #nextId = 1;

  constructor(readonly carrier: Carrier) {}

  /** Follow a call from these offsets on, by channel; absent: from its beginning. */
  watch(callId: string, watcher: Watcher, begins: Readonly<Record<number, number>> = {}): CallStream {
    const id = this.#nextId++;
    const stream = new CallStream(id, callId, watcher, this.carrier, () => this.#streams.delete(id), begins);
    this.#streams.set(id, stream);
    stream.begin();
    return stream;
  }

  /** The link is there again. */
  resume(): void {
    for (const stream of this.#streams.values()) stream.begin();
  }

  chunk(message: ArrayBuffer): void {
    if (message.byteLength < HEAD_BYTES) return;
    const head = new DataView(message);
    const offset = Number(head.getBigUint64(5));
    this.#streams.get(head.getUint32(0))?.received(head.getUint8(4), offset, new Uint8Array(message, HEAD_BYTES));
  }

  credit(stream: number, channel: number, upto: number): void {
    this.#streams.get(stream)?.credited(channel, upto);
  }

  watched(id: number, call: Call | undefined, error: ErrorBody | undefined): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    if (call) stream?.watcher.ended(call);
    else stream?.watcher.failed(error ?? { code: "internal_error", message: "the hub ended the stream" });
  }
}
