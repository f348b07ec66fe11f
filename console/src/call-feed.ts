// The calls of the conversations on this page: loaded with them, kept current by events and signals.

import { type CallCard, isEnded, TAIL_MAX, withCall, withOutput, withStored, writtenOn } from "./calls";
import type { Link, Signal } from "./link";
import { readOutput, Unreadable } from "./stored";
import type { Approval, Call, EventView } from "./wire";

const PAGE = 50;
/** A call that has not begun by then waits for something: it is asked for what. */
const WAITS_MS = 700;

type Change = (cards: CallCard[]) => CallCard[];

export class CallFeed {
  readonly #reading = new Set<string>();

  constructor(
    readonly link: Link,
    /** Change the calls of a conversation, if it is on this page. */
    readonly change: (room: string, change: Change) => void,
  ) {}

  async load(room: string): Promise<void> {
    const { calls } = await this.link.call("calls.list", { room, limit: PAGE }).catch(() => ({ calls: [] }));
    this.change(room, (cards) => calls.reduce(withCall, cards));
  }

  received(event: EventView): void {
    const room = event.room_key ?? "";
    if (event.call && event.type.startsWith("call.")) {
      const call = event.call as unknown as Call;
      this.change(room, (cards) => withCall(cards, call));
      if (event.type === "call.admitted") setTimeout(() => void this.#renew(call.room ?? "", call.id), WAITS_MS);
      else if (isEnded(call)) void this.#renew(call.room ?? "", call.id);
    } else if (event.approval && event.type.startsWith("approval.")) {
      const { room: of, call_id } = event.approval as unknown as Approval;
      if (of) void this.#renew(of, call_id);
    }
  }

  wrote(signal: Extract<Signal, { signal: "call.output" }>): void {
    this.change(signal.room, (cards) => withOutput(cards, signal));
  }

  /** Read the end of what a call wrote before this page listened. */
  async readTail(call: Call): Promise<void> {
    const room = call.room ?? "";
    if (!room || this.#reading.has(call.id)) return;
    this.#reading.add(call.id);
    try {
      const read = async (channel: number) => ({ channel, ...(await readOutput(call.id, channel, -TAIL_MAX, TAIL_MAX)) });
      const stretches = await Promise.all(writtenOn(call).map(read));
      this.change(room, (cards) => withStored(cards, call.id, stretches));
    } catch (error) {
      // What cannot be read now stays to be read whole, by its button.
      if (error instanceof Unreadable && error.isGone) this.change(room, (cards) => withStored(cards, call.id, null));
    } finally {
      this.#reading.delete(call.id);
    }
  }

  /** Ask for all that the hub knows of a call: what it waits for, what it wrote at its end. */
  async #renew(room: string, call_id: string): Promise<void> {
    if (!room) return;
    const call = await this.link.call("calls.get", { call_id }).catch(() => null);
    if (call) this.change(room, (cards) => withCall(cards, call));
  }
}
