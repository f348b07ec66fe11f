// What was written and not yet acknowledged. It lives in the tab's session storage, so a reload loses nothing; the
// messages carry their ids, so the hub stores a repeated one once.

import type { Message } from "./wire";

export interface Letter {
  key: string;
  message: Message;
}

const NAME = "instar.outbox";

export class Outbox {
  #letters: Letter[];
  #isDraining = false;

  constructor(readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem">) {
    this.#letters = read(storage);
  }

  get letters(): readonly Letter[] {
    return this.#letters;
  }

  add(letter: Letter): void {
    this.#keep([...this.#letters, letter]);
  }

  /** It was stored, or refused for good. */
  remove(messageId: string): void {
    this.#keep(this.#letters.filter((each) => each.message.id !== messageId));
  }

  clear(): void {
    this.#keep([]);
  }

  /** Send one after the other, in the order of writing, until `send` says that the hub cannot be reached. */
  async drain(send: (letter: Letter) => Promise<"settled" | "unreachable">): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let first = this.#letters[0]; first; first = this.#letters[0]) {
        if ((await send(first)) === "unreachable") return;
        this.remove(first.message.id);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #keep(letters: Letter[]): void {
    this.#letters = letters;
    try {
      if (letters.length) this.storage.setItem(NAME, JSON.stringify(letters));
      else this.storage.removeItem(NAME);
    } catch {
      // The storage is full or forbidden: the letters stay in memory, which a reload forgets.
    }
  }
}

function read(storage: Pick<Storage, "getItem">): Letter[] {
  try {
    const kept: unknown = JSON.parse(storage.getItem(NAME) ?? "[]");
    return Array.isArray(kept) ? (kept as Letter[]) : [];
  } catch {
    return [];
  }
}
