// A terminal with the login shell of a machine: one call with a terminal, watched over the link. Loaded when opened.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal as Screen } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef, useState } from "react";
import { ApprovalCard } from "./approval-card";
import { isEnded, outcome } from "./calls";
import { hub, troubleOf, useHub } from "./hub";
import type { CallStream } from "./streams";
import { withSheets } from "./terminal-sheets";
import type { Call } from "./wire";

const SHELL = 'exec "${SHELL:-/bin/sh}" -l';
/** Longest life of a terminal; the hub's own default is that of a command. */
const LIFE_S = 86_400;
const RESIZE_MS = 150;
const BEGINS_MS = 250;
const THEME = { background: "#10151d", foreground: "#e7edf5", cursor: "#86b3f0", cursorAccent: "#10151d", selectionBackground: "#35507a" };

type Say = (state: { call?: Call; trouble?: string }) => void;

/** The call behind a terminal: asked for, watched, resized, ended. */
class Session {
  #call: Call | null = null;
  #stream: CallStream | null = null;
  #isGone = false;
  #resizing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly screen: Screen,
    readonly say: Say,
  ) {}

  async begin(target: string): Promise<void> {
    const { rows, cols: columns } = this.screen;
    const asked = { tool: "shell", args: { command: SHELL }, target, terminal: { rows, columns }, has_input: true, timeout_s: LIFE_S, env: { TERM: "xterm-256color" } };
    try {
      const call = await hub.ask("calls.start", { ...asked, reason: "a terminal in the console" });
      this.#call = call;
      if (this.#isGone) return this.end();
      this.say({ call });
      this.#stream = hub.watch(call.id, {
        output: (_channel, content) => new Promise((done) => this.screen.write(content, done)),
        ended: (ended) => this.#ended(ended),
        failed: (error) => this.say({ trouble: `${error.message}. ${error.hint ?? ""}` }),
      });
      this.#settle(call.id);
    } catch (error) {
      this.say({ trouble: troubleOf(error) });
    }
  }

  write(text: string): void {
    if (this.#call && !isEnded(this.#call)) this.#stream?.write(new TextEncoder().encode(text));
  }

  resized(): void {
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(() => {
      const { rows, cols: columns } = this.screen;
      if (this.#call && !isEnded(this.#call)) void hub.ask("calls.resize", { call_id: this.#call.id, rows, columns }).catch(() => null);
    }, RESIZE_MS);
  }

  /** Leave the terminal: what runs in it ends. */
  end(): void {
    this.#isGone = true;
    this.#stream?.close();
    if (this.#call && !isEnded(this.#call)) void hub.ask("calls.cancel", { call_id: this.#call.id, reason: "the terminal was closed" }).catch(() => null);
  }

  /** Follow the call until it runs: before that, nothing comes on the stream. */
  #settle(call_id: string): void {
    if (this.#isGone || (this.#call && isEnded(this.#call)) || this.#call?.has_run) return;
    hub.ask("calls.get", { call_id }).then(
      (call) => {
        if (this.#isGone || (this.#call && isEnded(this.#call))) return;
        this.#call = call;
        this.say({ call });
        if (call.state === "dispatched" || call.state === "streaming") this.screen.focus();
        else setTimeout(() => this.#settle(call_id), BEGINS_MS);
      },
      () => setTimeout(() => this.#settle(call_id), BEGINS_MS * 4),
    );
  }

  #ended(call: Call): void {
    this.#call = call;
    this.say({ call });
  }
}

export default function Terminal({ target, name, leave }: { target: string; name: string; leave(): void }) {
  const [call, setCall] = useState<Call | null>(null);
  const [trouble, setTrouble] = useState("");
  const [turn, setTurn] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const closing = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const page = place.current;
    if (!page) return;
    const { screen, fit } = openScreen(page, () => closing.current?.focus());
    const session = new Session(screen, (state) => {
      if (state.call) setCall(state.call);
      if (state.trouble) setTrouble(state.trouble);
    });
    const size = new ResizeObserver(() => fit.fit());
    screen.onData((text) => session.write(text));
    screen.onResize(() => session.resized());
    size.observe(page);
    void session.begin(target);
    screen.focus();
    return () => {
      size.disconnect();
      session.end();
      screen.dispose();
    };
  }, [target, turn]);
  const again = () => {
    setCall(null);
    setTrouble("");
    setTurn(turn + 1);
  };
  const hasEnded = trouble !== "" || (call !== null && isEnded(call));
  return (
    <div className="flex h-full flex-col">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-2">
        <h2 className="min-w-0 truncate font-semibold">
          <bdi>{name}</bdi>
        </h2>
        <p role="status" className="min-w-0 grow truncate text-sm text-quiet">
          {trouble || (call ? outcome(call) : "asking")}
        </p>
        <span className="text-xs text-quiet max-sm:hidden">F6 leaves the terminal</span>
        {hasEnded && (
          <button type="button" className="second" onClick={again}>
            Open again
          </button>
        )}
        <button ref={closing} type="button" className="second" onClick={leave}>
          Close
        </button>
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
