// The native link `instar.v1`, client end: operations with answers, event batches, signals, reconnection with resume.

import { type CallStream, Streams, type Watcher } from "./streams";
import type { Call, ErrorBody, EventView, Operations, Telemetry } from "./wire";

export type LinkState = "connecting" | "live" | "offline" | "signed-out";
export type Signal =
  | { signal: "run.delta"; run_id: string; agent_id: string; message_id: string; room: string; offset: number; text: string }
  | { signal: "run.state"; run_id: string; agent_id: string; room: string; state: string }
  | { signal: "agent.presence"; agent_id: string; activity: string; task: string }
  | { signal: "node.telemetry"; node_id: string; telemetry: Telemetry }
  | { signal: "call.output"; call_id: string; room: string; channel: number; offset: number; size_bytes: number; text: string };

export interface LinkEvents {
  state(state: LinkState): void;
  events(events: EventView[]): void;
  signal(signal: Signal): void;
  /** The feed could not go on where it stopped: everything shown must be read anew. */
  gap(): void;
}

/** A failed operation: the hub's error as data. */
export class Refusal extends Error {
  constructor(readonly body: ErrorBody) {
    super(body.message);
  }
}

const RETRY_BASE_MS = 300;
const RETRY_MAX_MS = 3_000;
const PING_MS = 20_000;
const SILENCE_MS = 35_000;
const ANSWER_MS = 30_000;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Link {
  #socket: WebSocket | null = null;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #cursor = "";
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #heardAt = 0;
  #closed = false;
  readonly #streams = new Streams({ frame: (frame) => this.#deliver(JSON.stringify(frame)), chunk: (message) => this.#deliver(message) });

  constructor(readonly listener: LinkEvents) {
    window.addEventListener("online", () => this.retryNow());
  }

  connect(): void {
    this.#closed = false;
    this.listener.state("connecting");
    const address = new URL("/v1/attach", window.location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, "instar.v1");
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () =>
      this.#send({ t: "hello", client: "console", feed: true, signals: true, ...(this.#cursor && { cursor: this.#cursor }) });
    socket.onmessage = ({ data }) => (data instanceof ArrayBuffer ? this.#chunk(data) : this.#receive(JSON.parse(String(data))));
    socket.onclose = () => this.#ended(socket);
  }

  /** End the link; the next one begins anew. */
  close(): void {
    this.#closed = true;
    this.#cursor = "";
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  /** Do not wait for the next try of a lost link. */
  retryNow(): void {
    if (this.#socket || this.#closed || this.#attempt === 0) return;
    clearTimeout(this.#retry);
    void this.#retryUnlessSignedOut();
  }

  call<Name extends keyof Operations>(op: Name, params: Operations[Name]["params"]): Promise<Operations[Name]["result"]> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Refusal({ code: "service_unavailable", message: "the console is not connected", retryable: true }));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Refusal({ code: "timeout", message: "the hub did not answer in time", retryable: true }));
      }, ANSWER_MS);
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject, timer });
      this.#send({ t: "op", id, op, params });
    });
  }

  /** Follow a call's output, and write its input; it goes on across broken links. */
  watch(callId: string, watcher: Watcher, begins: Readonly<Record<number, number>> = {}): CallStream {
    return this.#streams.watch(callId, watcher, begins);
  }

  #send(frame: unknown): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #deliver(message: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message);
    return true;
  }

  #chunk(message: ArrayBuffer): void {
    this.#heardAt = Date.now();
    this.#streams.chunk(message);
  }

  #receive(frame: { t: string; [member: string]: unknown }): void {
    this.#heardAt = Date.now();
    switch (frame.t) {
      case "welcome":
        this.#attempt = 0;
        if (!this.#cursor) this.#cursor = String(frame.cursor);
        this.#startPulse();
        this.#streams.resume();
        this.listener.state("live");
        break;
      case "events":
        this.#cursor = String(frame.cursor);
        this.listener.events(frame.events as EventView[]);
        break;
      case "signal":
        this.listener.signal(frame.signal as Signal);
        break;
      case "result":
        this.#settle(frame.id as number)?.resolve(frame.result);
        break;
      case "error":
        this.#settle(frame.id as number)?.reject(new Refusal(frame.error as ErrorBody));
        break;
      case "credit":
        this.#streams.credit(frame.stream as number, frame.channel as number, frame.upto as number);
        break;
      case "watched":
        this.#streams.watched(frame.stream as number, frame.call as Call | undefined, frame.error as ErrorBody | undefined);
        break;
      case "gap":
        this.listener.gap();
        break;
      case "bye":
        if (frame.code === "unauthorized") this.#closed = true;
        break;
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) clearTimeout(waiting.timer);
    return waiting;
  }

  #startPulse(): void {
    clearInterval(this.#pulse);
    let n = 0;
    this.#pulse = setInterval(() => {
      if (Date.now() - this.#heardAt > SILENCE_MS) this.#socket?.close();
      else this.#send({ t: "ping", n: ++n });
    }, PING_MS);
  }

  #ended(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearInterval(this.#pulse);
    for (const id of [...this.#waiting.keys()])
      this.#settle(id)?.reject(new Refusal({ code: "service_unavailable", message: "the connection was lost", retryable: true }));
    if (this.#closed) {
      this.listener.state("signed-out");
      return;
    }
    this.listener.state("offline");
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** this.#attempt++);
    this.#retry = setTimeout(() => void this.#retryUnlessSignedOut(), Math.random() * ceiling);
  }

  async #retryUnlessSignedOut(): Promise<void> {
    const me = await fetch("/v1/me").catch(() => null);
    if (me?.status === 401) {
      this.#closed = true;
      this.listener.state("signed-out");
    } else if (!this.#closed) this.connect();
  }
}
