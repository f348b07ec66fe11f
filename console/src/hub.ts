// What the console knows of the hub, kept current by the link; components read it through `useHub`.

import { useSyncExternalStore } from "react";
import { type AccessView, Access, UNSEEN } from "./access";
import { CallFeed } from "./call-feed";
import { Link, type LinkState, Refusal, type Signal } from "./link";
import { Machines, type MachinesView, NO_MACHINES } from "./machines";
import { type Letter, Outbox } from "./outbox";
import { isPage, keyOfPath, pathOfKey, split, targetOf } from "./route";
import type { CallStream, Watcher } from "./streams";
import { EMPTY, type Pending, type Timeline, withDelta, withEvent, withOlder, withPending, withRun } from "./timeline";
import type { AgentSummary, Call, DirectConversation, EventView, Message, Network, Operations, Room, Scope, Whoami } from "./wire";

const PAGE = "50";
const LIST = "500";
const REFRESH_MS = 150;
/** Words of streaming answers are shown together this often: a fast model speaks hundreds in a second. */
const STREAM_MS = 33;
const OPERATOR = { type: "human", id: "operator", name: "Operator" };
const UNREACHABLE = new Set(["service_unavailable", "timeout"]);

type Delta = Extract<Signal, { signal: "run.delta" }>;

export interface View {
  link: LinkState;
  me: Whoami | null;
  network: Network | null;
  rooms: Room[];
  dms: DirectConversation[];
  agents: AgentSummary[];
  timelines: Record<string, Timeline>;
  /** Key of the conversation or page on screen: `room:general`, `dm:…`, `page:devices`. */
  open: string;
  notice: string;
  /** All agents are stopped until somebody resumes them. */
  isStopped: boolean;
  /** What a screen reader is told: whole messages, never single words of a streaming one. */
  announcement: string;
  isMenuOpen: boolean;
  access: AccessView;
  machines: MachinesView;
}

const NOTHING: View = {
  link: "connecting",
  me: null,
  network: null,
  rooms: [],
  dms: [],
  agents: [],
  timelines: {},
  open: "",
  notice: "",
  isStopped: false,
  announcement: "",
  isMenuOpen: false,
  access: UNSEEN,
  machines: NO_MACHINES,
};

export class Hub {
  #view: View = { ...NOTHING, open: keyOfPath(window.location.pathname) };
  #listeners = new Set<() => void>();
  #link = new Link({
    state: (link) => void this.#linked(link),
    events: (events) => this.#received(events),
    signal: (signal) => this.#signalled(signal),
    gap: () => void this.#start().catch((error: unknown) => this.#complain(error)),
  });
  #access = new Access(this.#link, (access) => this.#set({ access }));
  #machines = new Machines(this.#link, (machines) => this.#set({ machines }));
  #calls = new CallFeed(this.#link, (room, change) => {
    if (this.#view.timelines[room]) this.#setTimeline(room, (now) => ({ ...now, calls: change(now.calls) }));
  });
  #outbox = new Outbox(window.sessionStorage);
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #loading = new Set<string>();
  #deltas: Delta[] = [];
  #streaming: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    for (const { key, message } of this.#outbox.letters) this.#pend(key, { message, state: "waiting" });
    window.addEventListener("popstate", () => void this.#turnTo(keyOfPath(window.location.pathname) || this.#view.open));
    window.addEventListener("focus", () => void this.#markRead(this.#view.open));
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  view = (): View => this.#view;

  #set(change: Partial<View>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }

  #setTimeline(key: string, change: (timeline: Timeline) => Timeline): void {
    const timelines = this.#view.timelines;
    this.#set({ timelines: { ...timelines, [key]: change(timelines[key] ?? EMPTY) } });
  }

  // Signing in and out

  /** Sign in with the code of the link, if there is one, then connect. */
  async start(): Promise<void> {
    const code = new URLSearchParams(window.location.hash.slice(1)).get("code");
    if (code) {
      history.replaceState(null, "", window.location.pathname);
      await this.signIn(code);
      if (this.#view.link !== "signed-out") return;
    }
    // A used link does not end the session that it began.
    const me = await fetch("/v1/me").catch(() => null);
    if (me?.status === 401) this.#set({ link: "signed-out" });
    else {
      this.#set({ notice: "" });
      this.#link.connect();
    }
  }

  async signIn(code: string): Promise<boolean> {
    return this.#enter("/v1/auth/exchange", { code });
  }

  async signInAs(login: string, password: string): Promise<boolean> {
    return this.#enter("/v1/auth/password", { login, password });
  }

  async #enter(path: string, secret: Record<string, string>): Promise<boolean> {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(secret),
    }).catch(() => null);
    if (answer?.ok) {
      this.#set({ notice: "" });
      this.#link.connect();
      return true;
    }
    const body: { error?: string; hint?: string } = answer ? await answer.json().catch(() => ({})) : {};
    const notice = answer ? sentence(body.error ?? "the hub refused it", body.hint) : "The hub does not answer. Is it running?";
    this.#set({ link: "signed-out", notice });
    return false;
  }

  async signOut(): Promise<void> {
    await fetch("/v1/auth/logout", { method: "POST" }).catch(() => null);
    this.#outbox.clear();
    this.#link.close();
    history.replaceState(null, "", pathOfKey(""));
    this.#set({ ...NOTHING, link: "signed-out" });
  }

  retryNow(): void {
    this.#link.retryNow();
  }

  // Loading

  async #linked(link: LinkState): Promise<void> {
    this.#set({ link, ...(link === "signed-out" && { me: null }) });
    if (link !== "live") return;
    try {
      // The feed goes on where it stopped: what is shown stays, unless a gap is reported.
      if (this.#view.me) await Promise.all([this.#refreshLists(), this.#loadRest(this.#view.me.scopes)]);
      else await this.#start();
      await this.#drain();
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Read everything anew: at the start, and after a gap. */
  async #start(): Promise<void> {
    const [me, network] = await Promise.all([this.#link.call("auth.whoami", {}), this.#link.call("hub.network", {}), this.#refreshLists()]);
    const pending = Object.entries(this.#view.timelines).map(([key, timeline]) => [key, { ...EMPTY, pending: timeline.pending }]);
    const rooms = this.#view.rooms;
    const first = rooms.find((room) => room.id === "general") ?? rooms[0];
    this.#set({ me, network, timelines: Object.fromEntries(pending) });
    await this.#loadRest(me.scopes);
    const open = this.#view.open || (first && `room:${first.id}`);
    if (!open) return;
    history.replaceState(null, "", pathOfKey(open));
    await this.#turnTo(open);
  }

  async #loadRest(scopes: readonly Scope[]): Promise<void> {
    await Promise.all([this.#access.load(scopes), this.#machines.load(scopes)]);
  }

  async #refreshLists(): Promise<void> {
    const [rooms, dms, agents, status] = await Promise.all([
      this.#link.call("rooms.list", { limit: LIST }),
      this.#link.call("dms.list", { limit: LIST }).catch(() => ({ dms: this.#view.dms })),
      this.#link.call("agents.list", { limit: LIST }),
      // Not everybody may ask; the events tell those who may not.
      this.#link.call("hub.status", {}).catch(() => ({ stopped: this.#view.isStopped })),
    ]);
    this.#set({ rooms: rooms.rooms, dms: dms.dms, agents: agents.agents, isStopped: status.stopped });
  }

  #refreshSoon(): void {
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => void this.#refreshLists().catch(() => null), REFRESH_MS);
  }

  /** Put a conversation on screen and load its latest page. */
  async show(key: string): Promise<void> {
    if (key !== this.#view.open) history.pushState(null, "", pathOfKey(key));
    await this.#turnTo(key);
  }

  async #turnTo(key: string): Promise<void> {
    this.#set({ open: key, isMenuOpen: false, announcement: "" });
    if (isPage(key)) return;
    if (!this.#view.timelines[key]?.isLoaded) {
      await this.loadOlder(key);
      await Promise.all([this.#loadRuns(key), this.#calls.load(key)]);
    }
    await this.#markRead(key);
  }

  async loadOlder(key: string): Promise<void> {
    const timeline = this.#view.timelines[key] ?? EMPTY;
    if ((timeline.isLoaded && !timeline.hasOlder) || this.#loading.has(key)) return;
    const [kind, id] = split(key);
    const paging = { limit: PAGE, ...(timeline.before && { before: timeline.before }) };
    this.#loading.add(key);
    try {
      const { messages, page } =
        kind === "dm"
          ? await this.#link.call("dms.messages", { dm_id: id, ...paging })
          : await this.#link.call("rooms.messages", { room_id: id, ...paging });
      this.#setTimeline(key, (now) => withOlder(now, messages, page.has_more, page.next_before ?? ""));
    } catch (error) {
      if (error instanceof Refusal && !timeline.isLoaded && !UNREACHABLE.has(error.body.code))
        this.#setTimeline(key, (now) => ({ ...now, error: sentence(error.body.message, error.body.hint) }));
      else this.#complain(error);
    } finally {
      this.#loading.delete(key);
    }
  }

  /** What agents are writing here right now, and which of their latest runs ended without an answer. */
  async #loadRuns(key: string): Promise<void> {
    const { runs } = await this.#link.call("runs.list", { limit: Number(PAGE) }).catch(() => ({ runs: [] }));
    for (const run of runs) if (run.room === key) this.#setTimeline(key, (now) => withRun(now, run));
  }

  // Writing

  send(key: string, text: string): void {
    const message: Message = {
      id: `msg_${crypto.randomUUID()}`,
      network_id: "",
      origin: { network_id: "", message_id: "" },
      target: targetOf(key),
      from: this.#speaker(),
      parts: [{ kind: "text", text }],
      created_at: new Date().toISOString(),
    };
    this.retry(key, message);
  }

  retry(key: string, message: Message): void {
    this.#outbox.add({ key, message });
    this.#pend(key, { message, state: this.#view.link === "live" ? "sending" : "waiting" });
    void this.#drain();
  }

  discard(key: string, message: Message): void {
    this.#setTimeline(key, (now) => ({ ...now, pending: now.pending.filter((each) => each.message.id !== message.id) }));
  }

  #pend(key: string, pending: Pending): void {
    this.#setTimeline(key, (now) => withPending(now, pending));
  }

  #speaker() {
    const principal = this.#view.me?.principal;
    return principal && principal.kind !== "anonymous" ? { type: "human", id: principal.id, name: principal.name } : OPERATOR;
  }

  async #drain(): Promise<void> {
    if (this.#view.link === "live") await this.#outbox.drain((letter) => this.#deliver(letter));
  }

  async #deliver({ key, message }: Letter): Promise<"settled" | "unreachable"> {
    try {
      const { id, target, parts, from } = message;
      this.#pend(key, { message, state: "sending" });
      const { seq } = await this.#link.call("messages.send", { id, target, parts, from });
      // The answer may come before the event; it is the hub's word that the message is on disk.
      this.#setTimeline(key, (now) => withEvent(now, stored(message, seq)));
      return "settled";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const isUnreachable = UNREACHABLE.has(error.body.code);
      this.#pend(key, isUnreachable ? { message, state: "waiting" } : { message, state: "failed", error: sentence(error.body.message, error.body.hint) });
      return isUnreachable ? "unreachable" : "settled";
    }
  }

  async openDm(agentId: string): Promise<void> {
    try {
      const dm = await this.#link.call("dms.open", { participant_ids: [agentId] });
      if (!this.#view.dms.some((each) => each.id === dm.id)) this.#set({ dms: [...this.#view.dms, dm] });
      await this.show(`dm:${dm.id}`);
    } catch (error) {
      this.#complain(error);
    }
  }

  async cancelRun(runId: string): Promise<void> {
    await this.#link.call("runs.cancel", { run_id: runId, reason: "asked for in the console" }).catch((error: unknown) => this.#complain(error));
  }

  /** Stop all agents at once, or let them run again. */
  async stopAll(isStopped: boolean): Promise<void> {
    try {
      if (isStopped) await this.#link.call("agents.stop_all", { reason: "asked for in the console" });
      else await this.#link.call("agents.resume_all", {});
      this.#set({ isStopped });
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Do something and read anew what it may have changed; return why not, as a sentence, or nothing. */
  async act<Name extends keyof Operations>(operation: Name, params: Operations[Name]["params"]): Promise<string> {
    try {
      await this.#link.call(operation, params);
      await this.#loadRest(this.#view.me?.scopes ?? []);
      return "";
    } catch (error) {
      return troubleOf(error);
    }
  }

  /** Ask for an operation.
   *
   * @throws {Refusal} The hub's answer when it is no.
   */
  ask<Name extends keyof Operations>(operation: Name, params: Operations[Name]["params"]): Promise<Operations[Name]["result"]> {
    return this.#link.call(operation, params);
  }

  /** Follow a call's output, from these offsets on, and write its input. */
  watch(callId: string, watcher: Watcher, begins: Readonly<Record<number, number>> = {}): CallStream {
    return this.#link.watch(callId, watcher, begins);
  }

  /** Read the end of what a call of a conversation wrote before this page listened. */
  readTail(call: Call): void {
    void this.#calls.readTail(call);
  }

  dismiss(): void {
    this.#set({ notice: "" });
  }

  setMenu(isMenuOpen: boolean): void {
    this.#set({ isMenuOpen });
  }

  #complain(error: unknown): void {
    if (!(error instanceof Refusal)) this.#set({ notice: String(error) });
    else if (!UNREACHABLE.has(error.body.code)) this.#set({ notice: sentence(error.body.message, error.body.hint) });
    else if (this.#view.link === "live") this.#set({ notice: "The hub did not answer in time. Try again." });
  }

  // Listening

  #received(events: EventView[]): void {
    this.#stream();
    for (const event of events) {
      const key = event.room_key ?? "";
      this.#access.received(event);
      this.#machines.received(event);
      this.#calls.received(event);
      // What is said while the conversation on screen is being loaded belongs to it: not all of it is in the history.
      if (this.#view.timelines[key] || key === this.#view.open) this.#setTimeline(key, (now) => withEvent(now, event));
      if (event.type === "message.created") this.#heard(key, event.message as unknown as Message);
      if (event.type === "hub.stopped" || event.type === "hub.resumed") this.#set({ isStopped: event.type === "hub.stopped" });
      if (/^(room|dm|agent|thread)\./.test(event.type) && !event.type.startsWith("agent.wake.")) this.#refreshSoon();
    }
    if (events.some((event) => event.room_key === this.#view.open && event.type === "message.created")) void this.#markRead(this.#view.open);
  }

  #heard(key: string, message: Message): void {
    if (message.from.id === this.#view.me?.principal.id) return;
    if (key === this.#view.open) {
      this.#set({ announcement: `${message.from.name || message.from.id}: ${message.parts.map((part) => part.text ?? "").join(" ").slice(0, 300)}` });
      if (document.hasFocus()) return;
    }
    const bump = <T extends { id: string; unread_count?: number }>(kind: string, each: T): T =>
      `${kind}:${each.id}` === key ? { ...each, unread_count: (each.unread_count ?? 0) + 1 } : each;
    this.#set({ rooms: this.#view.rooms.map((room) => bump("room", room)), dms: this.#view.dms.map((dm) => bump("dm", dm)) });
  }

  async #markRead(key: string): Promise<void> {
    const seq = this.#view.timelines[key]?.messages.at(-1)?.seq;
    if (!seq || !document.hasFocus()) return;
    const clear = <T extends { id: string }>(kind: string, each: T): T => (`${kind}:${each.id}` === key ? { ...each, unread_count: 0 } : each);
    this.#set({ rooms: this.#view.rooms.map((room) => clear("room", room)), dms: this.#view.dms.map((dm) => clear("dm", dm)) });
    await this.#link.call("rooms.mark_read", { target: targetOf(key), seq }).catch(() => null);
  }

  #signalled(signal: Signal): void {
    switch (signal.signal) {
      case "run.delta":
        this.#deltas.push(signal);
        this.#streaming ??= setTimeout(() => this.#stream(), STREAM_MS);
        break;
      case "agent.presence": {
        const { agent_id, activity, task } = signal;
        const agents = this.#view.agents.map((agent) =>
          agent.id === agent_id ? { ...agent, activity: activity as AgentSummary["activity"], task } : agent,
        );
        this.#set({ agents });
        break;
      }
      case "node.telemetry":
        this.#machines.reported(signal.node_id, signal.telemetry);
        break;
      case "call.output":
        this.#calls.wrote(signal);
        break;
      case "run.state":
        break;
    }
  }

  #stream(): void {
    clearTimeout(this.#streaming);
    this.#streaming = undefined;
    const deltas = Map.groupBy(this.#deltas, (delta) => delta.room);
    this.#deltas = [];
    for (const [room, said] of deltas) {
      const before = this.#view.timelines[room];
      if (!before) continue;
      const now = said.reduce(withDelta, before);
      this.#setTimeline(room, () => now);
      for (const { runId, hasHole } of now.streaming) {
        const hadHole = before.streaming.some((each) => each.runId === runId && each.hasHole);
        if (hasHole && !hadHole) this.#mend(room, runId);
      }
    }
  }

  /** Ask for all that a run has said: some of it went by before this page listened. */
  #mend(room: string, run_id: string): void {
    this.#link.call("runs.get", { run_id }).then(
      (run) => this.#setTimeline(room, (now) => withRun(now, run)),
      () => null,
    );
  }
}

function stored(message: Message, seq: number): EventView {
  return { id: "", type: "message.created", network_id: "", created_at: message.created_at, seq, message: message as never };
}

/** Why something did not happen, as sentences. */
export function troubleOf(error: unknown): string {
  return error instanceof Refusal ? sentence(error.body.message, error.body.hint) : String(error);
}

/** A cause and what to do about it, as sentences. */
export function sentence(cause: string, hint = ""): string {
  const said = cause.charAt(0).toUpperCase() + cause.slice(1);
  return `${said.replace(/\.$/, "")}.${hint ? ` ${hint}` : ""}`;
}

export const hub = new Hub();

/** Read a part of the view; the component renders again when that part changes. */
export function useHub<T>(select: (view: View) => T): T {
  return useSyncExternalStore(hub.subscribe, () => select(hub.view()));
}
