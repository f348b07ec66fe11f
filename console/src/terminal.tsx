// A terminal with the login shell of a machine: one call with a terminal, watched over the link. Loaded when opened.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal as Screen } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef, useState } from "react";
import { ApprovalCard } from "./approval-card";
import { afterLine, isEnded, outcome } from "./calls";
import { hub, troubleOf, useHub } from "./hub";
import { keep, type OpenShell } from "./shells";
import { inputOffset, readOutput, Unreadable } from "./stored";
import type { CallStream, Watcher } from "./streams";
import { withSheets } from "./terminal-sheets";
import type { Call } from "./wire";

const SHELL = 'exec "${SHELL:-/bin/sh}" -l';
/** Longest life of a terminal; the hub's own default is that of a command. */
const LIFE_S = 86_400;
const STDOUT = 1;
const RESIZE_MS = 150;
/** So much of what it wrote before is drawn again when one comes back to it. */
const REDRAWN_BYTES = 1_048_576;
const BEGINS_MS = 250;
const THEME = { background: "#10151d", foreground: "#e7edf5", cursor: "#86b3f0", cursorAccent: "#10151d", selectionBackground: "#35507a" };

/** Sequences that a terminal answers as if somebody typed: what it is, where its cursor stands, which modes it has. */
const QUERIES = [
  { final: "c" },
  { prefix: ">", final: "c" },
  { prefix: "=", final: "c" },
  { final: "n" },
  { prefix: "?", final: "n" },
  { intermediates: "$", final: "p" },
  { prefix: "?", intermediates: "$", final: "p" },
  { prefix: ">", final: "q" },
  { prefix: "?", final: "u" },
];
/** Their numbers ask for a colour where a question mark is in the colour's place. */
const COLOURS = [4, 10, 11, 12];

type Say = (state: { call?: Call; trouble?: string }) => void;

/** The call behind a terminal: asked for, watched, resized, ended. */
class Session {
  #call: Call | null = null;
  #stream: CallStream | null = null;
  #isGone = false;
  #resizing: ReturnType<typeof setTimeout> | undefined;
  /** How far the output has come; what was written before `#oldUntil` is drawn again. */
  #at = 0;
  #oldUntil = 0;
  #isRedrawing = false;
  /** Typed before the call is followed. */
  #early = "";

  constructor(
    readonly screen: Screen,
    readonly say: Say,
  ) {
    // A terminal answers what programs ask of it; they had their answers when this was first drawn.
    const isOld = () => this.#isRedrawing;
    for (const id of QUERIES) screen.parser.registerCsiHandler(id, isOld);
    for (const id of COLOURS) screen.parser.registerOscHandler(id, (asked) => isOld() && asked.includes("?"));
    screen.parser.registerDcsHandler({ intermediates: "$", final: "q" }, isOld);
  }

  /** Go on with a terminal that runs, or open a new one. */
  async open({ target, name, callId }: OpenShell): Promise<void> {
    try {
      const call = await (callId ? this.#found(callId) : this.#asked(target));
      this.#call = call;
      if (this.#isGone) return callId ? undefined : this.end();
      this.say({ call });
      if (isEnded(call)) return;
      keep({ target, name, callId: call.id });
      await this.#follow(call.id, callId !== "");
      this.#settle(call.id);
    } catch (error) {
      this.say({ trouble: error instanceof Unreadable ? error.message : troubleOf(error) });
    }
  }

  #asked(target: string): Promise<Call> {
    const { rows, cols: columns } = this.screen;
    const asked = { tool: "shell", args: { command: SHELL }, target, terminal: { rows, columns }, has_input: true, timeout_s: LIFE_S, env: { TERM: "xterm-256color" } };
    // Who leaves for good without closing it leaves no shell behind.
    return hub.ask("calls.start", { ...asked, ends_unwatched: true, reason: "a terminal in the console" });
  }

  #found(call_id: string): Promise<Call> {
    return hub.ask("calls.get", { call_id });
  }

  /** Watch the call; one that ran before from the end of what it wrote. */
  async #follow(callId: string, isOld: boolean): Promise<void> {
    const before = isOld ? await readOutput(callId, STDOUT, -REDRAWN_BYTES, 1) : { offset: 0, total: 0 };
    const input = isOld ? await inputOffset(callId) : 0;
    if (this.#isGone) return;
    this.#at = before.offset;
    this.#oldUntil = before.total;
    this.#isRedrawing = before.total > before.offset;
    const watcher: Watcher = {
      output: (_channel, content) => this.#draw(content, before.offset),
      ended: (ended) => this.#ended(ended),
      failed: (error) => this.say({ trouble: `${error.message}. ${error.hint ?? ""}` }),
    };
    this.#stream = hub.watch(callId, watcher, { [STDOUT]: before.offset });
    this.#stream.goOnAt(input);
    this.write(this.#early);
    this.#early = "";
  }

  #draw(content: Uint8Array, begin: number): Promise<void> {
    const isCut = begin > 0 && this.#at === begin;
    this.#at += content.length;
    const at = this.#at;
    return new Promise((done) =>
      this.screen.write(isCut ? afterLine(content) : content, () => {
        if (at >= this.#oldUntil) this.#isRedrawing = false;
        done();
      }),
    );
  }

  /** This page is looked at again: what was typed in another one, or its size, may have changed. */
  returned(): void {
    if (!this.#stream || !this.#call || isEnded(this.#call)) return;
    inputOffset(this.#call.id).then(
      (offset) => this.#stream?.goOnAt(offset),
      () => null,
    );
    this.resized();
  }

  write(text: string): void {
    if (this.#call && isEnded(this.#call)) return;
    if (this.#stream) this.#stream.write(new TextEncoder().encode(text));
    else this.#early += text;
  }

  resized(): void {
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(() => {
      const { rows, cols: columns } = this.screen;
      if (this.#call && !isEnded(this.#call)) void hub.ask("calls.resize", { call_id: this.#call.id, rows, columns }).catch(() => null);
    }, RESIZE_MS);
  }

  /** Leave the terminal; what runs in it goes on. */
  leave(): void {
    this.#isGone = true;
    this.#stream?.close();
  }

  /** Leave the terminal: what runs in it ends. */
  end(): void {
    this.leave();
    if (this.#call && !isEnded(this.#call)) void hub.ask("calls.cancel", { call_id: this.#call.id, reason: "the terminal was closed" }).catch(() => null);
  }

  /** Follow the call until it runs: before that, nothing comes on the stream. */
  #settle(call_id: string): void {
    if (this.#isGone || (this.#call && isEnded(this.#call))) return;
    hub.ask("calls.get", { call_id }).then(
      (call) => {
        if (this.#isGone || (this.#call && isEnded(this.#call))) return;
        this.#call = call;
        this.say({ call });
        if (call.state === "dispatched" || call.state === "streaming") {
          this.screen.focus();
          // The window may have changed since the size was asked for.
          this.resized();
        } else setTimeout(() => this.#settle(call_id), BEGINS_MS);
      },
      () => setTimeout(() => this.#settle(call_id), BEGINS_MS * 4),
    );
  }

  #ended(call: Call): void {
    this.#call = call;
    this.say({ call });
  }
}

export default function Terminal({ shell, leave }: { shell: OpenShell; leave(): void }) {
  const [call, setCall] = useState<Call | null>(null);
  const [trouble, setTrouble] = useState("");
  const [turn, setTurn] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const closing = useRef<HTMLButtonElement>(null);
  const isStaying = useRef(false);
  useEffect(() => {
    const page = place.current;
    if (!page) return;
    const { screen, fit } = openScreen(page, () => closing.current?.focus());
    const session = new Session(screen, (state) => {
      if (state.call) setCall(state.call);
      if (state.trouble) setTrouble(state.trouble);
    });
    const size = new ResizeObserver(() => fit.fit());
    const returned = () => session.returned();
    window.addEventListener("focus", returned);
    screen.onData((text) => session.write(text));
    screen.onResize(() => session.resized());
    size.observe(page);
    void session.open(turn ? { ...shell, callId: "" } : shell);
    screen.focus();
    return () => {
      window.removeEventListener("focus", returned);
      size.disconnect();
      if (isStaying.current) session.leave();
      else session.end();
      screen.dispose();
    };
  }, [shell, turn]);
  const again = () => {
    setCall(null);
    setTrouble("");
    setTurn(turn + 1);
  };
  const stay = () => {
    isStaying.current = true;
    leave();
  };
  const hasEnded = trouble !== "" || (call !== null && isEnded(call));
  return (
    <div className="flex h-full flex-col">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-2">
        <h2 className="min-w-0 truncate font-semibold">
          <bdi>{shell.name}</bdi>
        </h2>
        <p role="status" className="min-w-0 grow truncate text-sm text-quiet">
          {trouble || (call ? outcome(call) : "asking")}
        </p>
        <span className="text-xs text-quiet max-sm:hidden">F6 leaves the terminal</span>
        <span className="flex flex-wrap gap-2">
          {hasEnded && (
            <button type="button" className="second" onClick={again}>
              Open again
            </button>
          )}
          {!hasEnded && (call?.state === "dispatched" || call?.state === "streaming") && (
            <button type="button" className="second" aria-describedby="leave-running" onClick={stay}>
              Leave running
              <span id="leave-running" hidden>
                It stays in the list of this machine, and ends when nobody comes back to it for long.
              </span>
            </button>
          )}
          <button ref={closing} type="button" className="second" onClick={leave}>
            Close
          </button>
        </span>
      </div>
      {call?.state === "awaiting_approval" && <Waiting callId={call.id} />}
      <div ref={place} className="min-h-0 grow bg-[#10151d] p-2" />
    </div>
  );
}

function openScreen(page: HTMLElement, leave: () => void): { screen: Screen; fit: FitAddon } {
  const screen = new Screen({
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--font-mono") || "monospace",
    fontSize: 14,
    scrollback: 5_000,
    theme: THEME,
    cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    screenReaderMode: true,
  });
  const fit = new FitAddon();
  screen.loadAddon(fit);
  // Tab is the program's; this is the way out for who has no mouse.
  screen.attachCustomKeyEventHandler((event) => {
    if (event.key !== "F6") return true;
    if (event.type === "keydown") leave();
    return false;
  });
  withSheets(() => screen.open(page));
  fit.fit();
  return { screen, fit };
}

/** It waits for somebody: decide here, if this person may. */
function Waiting({ callId }: { callId: string }) {
  const approval = useHub((view) => view.machines.approvals.find((each) => each.call_id === callId));
  if (!approval) return <p className="border-b border-line bg-busy-soft px-3 py-2 text-sm text-busy">Somebody with scope approve must allow it first: in their console, or with <code className="font-mono">instar approvals approve {callId}</code>.</p>;
  return (
    <div className="max-h-[85%] shrink-0 overflow-y-auto border-b border-line p-3">
      <ApprovalCard approval={approval} />
    </div>
  );
}
