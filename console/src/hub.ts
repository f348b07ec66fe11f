// What the console knows of the hub, kept current by the link; components read it through `useHub`.

import { useSyncExternalStore } from "react";
import { Link, type LinkState, Refusal, type Signal } from "./link";
import { EMPTY, type Timeline, withDelta, withEvent, withOlder, withPending } from "./timeline";
import type { AgentSummary, DirectConversation, EventView, Message, Network, Room, Target, Whoami } from "./wire";

const PAGE = "50";
const OPERATOR = { type: "human", id: "operator", name: "Operator" };

export interface View {
  link: LinkState;
  me: Whoami | null;
  network: Network | null;
  rooms: Room[];
  dms: DirectConversation[];
  agents: AgentSummary[];
  timelines: Record<string, Timeline>;
  /** Key of the conversation on screen: `room:general`, `dm:…`. */
  open: string;
  notice: string;
}

export class Hub {
  #view: View = {
    link: "connecting",
    me: null,
    network: null,
    rooms: [],
    dms: [],
    agents: [],
    timelines: {},
    open: "",
    notice: "",
  };
  #listeners = new Set<() => void>();
  #link = new Link({
    state: (link) => void this.#linked(link),
    events: (events) => this.#received(events),
    signal: (signal) => this.#signalled(signal),
    gap: () => void this.#reload(),
  });
  #refresh: ReturnType<typeof setTimeout> | undefined;

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

  /** Sign in with the code of the link, if there is one, then connect. */
  async start(): Promise<void> {
    const code = new URLSearchParams(window.location.hash.slice(1)).get("code");
    if (code) {
      history.replaceState(null, "", window.location.pathname);
      await this.signIn(code);
      return;
    }
    const me = await fetch("/v1/me").catch(() => null);
    if (me?.status === 401) this.#set({ link: "signed-out" });
    else this.#link.connect();
  }

  async signIn(code: string): Promise<void> {
    const answer = await fetch("/v1/auth/exchange", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code }),
    }).catch(() => null);
    if (answer?.ok) {
      this.#set({ notice: "" });
      this.#link.connect();
      return;
    }
    const body: { error?: string; hint?: string } = answer ? await answer.json().catch(() => ({})) : {};
    const notice = answer ? `${body.error ?? "The hub refused the code"}. ${body.hint ?? ""}` : "The hub does not answer.";
    this.#set({ link: "signed-out", notice });
  }

  async signOut(): Promise<void> {
    await fetch("/v1/auth/logout", { method: "POST" }).catch(() => null);
    this.#link.close();
    this.#set({ link: "signed-out" });
  }

  async #linked(link: LinkState): Promise<void> {
    this.#set({ link });
    if (link === "live") await this.#reload().catch((error: unknown) => this.#complain(error));
  }

  async #reload(): Promise<void> {
    const [me, network, rooms, dms, agents] = await Promise.all([
      this.#link.call("auth.whoami", {}),
      this.#link.call("hub.network", {}),
      this.#link.call("rooms.list", { limit: "500" }),
      this.#link.call("dms.list", { limit: "500" }).catch(() => ({ dms: [] })),
      this.#link.call("agents.list", { limit: "500" }),
    ]);
    const open = this.#view.open || `room:${rooms.rooms.find((room) => room.id === "general")?.id ?? rooms.rooms[0]?.id ?? ""}`;
    const stillPending = Object.fromEntries(
      Object.entries(this.#view.timelines).map(([key, timeline]) => [key, { ...EMPTY, pending: timeline.pending }]),
    );
    this.#set({ me, network, rooms: rooms.rooms, dms: dms.dms, agents: agents.agents, open, timelines: stillPending });
    if (open !== "room:") await this.show(open);
    for (const [key, timeline] of Object.entries(this.#view.timelines))
      for (const pending of timeline.pending) void this.#deliver(key, pending.message);
  }

  /** Put a conversation on screen and load its latest page. */
  async show(key: string): Promise<void> {
    this.#set({ open: key });
    if (!this.#view.timelines[key]?.isLoaded) await this.loadOlder(key);
    await this.#markRead(key);
  }

  async loadOlder(key: string): Promise<void> {
    const timeline = this.#view.timelines[key] ?? EMPTY;
    if (timeline.isLoaded && !timeline.hasOlder) return;
    const [kind, id] = split(key);
    const paging = { limit: PAGE, ...(timeline.before && { before: timeline.before }) };
    try {
      const { messages, page } =
        kind === "dm"
          ? await this.#link.call("dms.messages", { dm_id: id, ...paging })
          : await this.#link.call("rooms.messages", { room_id: id, ...paging });
      this.#setTimeline(key, (now) => withOlder(now, messages, page.has_more, page.next_before ?? ""));
    } catch (error) {
      this.#complain(error);
    }
  }

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
    void this.#deliver(key, message);
  }

  retry(key: string, message: Message): void {
    void this.#deliver(key, message);
  }

  #speaker() {
    const principal = this.#view.me?.principal;
    return principal && principal.kind !== "anonymous" ? { type: "human", id: principal.id, name: principal.name } : OPERATOR;
  }

  async #deliver(key: string, message: Message): Promise<void> {
    this.#setTimeline(key, (now) => withPending(now, { message, state: "sending" }));
    try {
      const { id, target, parts, from } = message;
      await this.#link.call("messages.send", { id, target, parts, from });
    } catch (error) {
      const reason = error instanceof Refusal ? error.body.message : String(error);
      this.#setTimeline(key, (now) => withPending(now, { message, state: "failed", error: reason }));
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
    await this.#link.call("runs.cancel", { run_id: runId, reason: "stopped in the console" }).catch((error: unknown) => this.#complain(error));
  }

  dismiss(): void {
    this.#set({ notice: "" });
  }

  #complain(error: unknown): void {
    if (error instanceof Refusal) this.#set({ notice: `${error.body.message}. ${error.body.hint ?? ""}` });
    else this.#set({ notice: String(error) });
  }

  #received(events: EventView[]): void {
    for (const event of events) {
      const key = event.room_key ?? "";
      if (this.#view.timelines[key]) this.#setTimeline(key, (now) => withEvent(now, event));
      if (event.type === "message.created") this.#countUnread(key, event);
      if (/^(room|dm|agent|thread)\./.test(event.type)) this.#refreshSoon();
    }
    if (events.some((event) => event.room_key === this.#view.open && event.type === "message.created")) void this.#markRead(this.#view.open);
  }

  #countUnread(key: string, event: EventView): void {
    if (key === this.#view.open && document.hasFocus()) return;
    if ((event.message?.["from"] as { id?: string } | undefined)?.id === this.#view.me?.principal.id) return;
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

  #refreshSoon(): void {
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => void this.#refreshLists().catch(() => null), 100);
  }

  async #refreshLists(): Promise<void> {
    const [rooms, dms, agents] = await Promise.all([
      this.#link.call("rooms.list", { limit: "500" }),
      this.#link.call("dms.list", { limit: "500" }).catch(() => ({ dms: this.#view.dms })),
      this.#link.call("agents.list", { limit: "500" }),
    ]);
    this.#set({ rooms: rooms.rooms, dms: dms.dms, agents: agents.agents });
  }

  #signalled(signal: Signal): void {
    switch (signal.signal) {
      case "run.delta":
        if (this.#view.timelines[signal.room]) this.#setTimeline(signal.room, (now) => withDelta(now, signal));
        break;
      case "agent.presence": {
        const { agent_id, activity, task } = signal;
        const agents = this.#view.agents.map((agent) =>
          agent.id === agent_id ? { ...agent, activity: activity as AgentSummary["activity"], task } : agent,
        );
        this.#set({ agents });
        break;
      }
      case "run.state":
        break;
    }
  }
}

export function split(key: string): [kind: string, id: string] {
  const at = key.indexOf(":");
  return [key.slice(0, at), key.slice(at + 1)];
}

export function targetOf(key: string): Target {
  const [kind, id] = split(key);
  return kind === "dm" ? { kind: "dm", dm_id: id } : { kind: "room", room_id: id };
}

export const hub = new Hub();

/** Read a part of the view; the component renders again when that part changes. */
export function useHub<T>(select: (view: View) => T): T {
  return useSyncExternalStore(hub.subscribe, () => select(hub.view()));
}
