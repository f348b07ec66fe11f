import { type ReactNode, useEffect } from "react";
import { hub, useHub } from "./hub";
import { mayApprove, maySee } from "./machines";
import type { AgentSummary, DirectConversation, Scope, Whoami } from "./wire";

const DOTS: Record<string, string> = {
  idle: "bg-good",
  busy: "bg-busy animate-pulse",
  paused: "border-2 border-busy",
  offline: "border-2 border-quiet/60",
  unknown: "border-2 border-dotted border-quiet/60",
};

/** Whom a direct conversation is with, seen from here. */
export function partners(dm: DirectConversation | undefined, me: Whoami | null, agents: AgentSummary[]): string {
  const others = (dm?.participant_ids ?? []).filter((id) => id !== me?.principal.id);
  return others.map((id) => agents.find((agent) => agent.id === id)?.name || id).join(", ") || "Direct";
}

/** The pages that somebody with these rights has a use for. */
export function pages(me: Whoami | null): { key: string; title: string }[] {
  const has = (scope: Scope) => me?.scopes.includes(scope) ?? false;
  const isPerson = me?.principal.kind === "person";
  return [
    ...(mayApprove(me?.scopes ?? []) ? [{ key: "page:approvals", title: "Approvals" }] : []),
    ...(maySee(me?.scopes ?? []) ? [{ key: "page:nodes", title: "Nodes" }] : []),
    ...(has("devices") ? [{ key: "page:devices", title: "Devices" }] : []),
    ...(has("keys") || isPerson ? [{ key: "page:people", title: has("keys") ? "People" : "Your password" }] : []),
  ];
}

export function Sidebar() {
  const me = useHub((view) => view.me);
  const rooms = useHub((view) => view.rooms);
  const dms = useHub((view) => view.dms);
  const agents = useHub((view) => view.agents);
  const isMenuOpen = useHub((view) => view.isMenuOpen);
  const machines = useHub((view) => view.machines);
  const asking = useHub((view) => view.access.requests.length);
  const waiting: Record<string, number> = { "page:devices": asking, "page:nodes": machines.requests.length, "page:approvals": machines.approvals.length };
  const registered = agents.filter((agent) => agent.registered);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => event.key === "Escape" && hub.setMenu(false);
    if (isMenuOpen) window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [isMenuOpen]);
  return (
    <>
      {isMenuOpen && <div aria-hidden onClick={() => hub.setMenu(false)} className="absolute inset-0 z-10 bg-black/40 sm:hidden" />}
      <nav
        id="sidebar"
        aria-label="Rooms and agents"
        className={`w-64 shrink-0 overflow-y-auto border-r border-line bg-panel py-4 max-sm:absolute max-sm:inset-y-0 max-sm:left-0 max-sm:z-20 max-sm:w-[80vw] max-sm:max-w-80 max-sm:shadow-xl ${isMenuOpen ? "" : "max-sm:hidden"}`}
      >
        <Section title="Rooms" empty={me && <>No rooms yet. Make one: <code className="code">instar rooms create review</code></>}>
          {rooms.map((room) => (
            <Entry key={room.id} target={`room:${room.id}`} unread={room.unread_count ?? 0}>
              <span className="text-quiet">#</span> {room.name || room.id}
            </Entry>
          ))}
        </Section>
        {dms.length > 0 && (
          <Section title="Direct">
            {dms.map((dm) => (
              <Entry key={dm.id} target={`dm:${dm.id}`} unread={dm.unread_count ?? 0}>
                {partners(dm, me, agents)}
              </Entry>
            ))}
          </Section>
        )}
        <Section title="Agents" empty={me && <>No agents yet. Add one: <code className="code">instar agents register beta</code></>}>
          {registered.map((agent) => (
            <Agent key={agent.fqid} agent={agent} />
          ))}
        </Section>
        {pages(me).length > 0 && (
          <Section title="Hub">
            {pages(me).map((page) => (
              <Entry key={page.key} target={page.key} unread={waiting[page.key] ?? 0} what="waiting">
                {page.title}
              </Entry>
            ))}
          </Section>
        )}
      </nav>
    </>
  );
}

function Section({ title, empty, children }: { title: string; empty?: ReactNode; children: ReactNode[] }) {
  return (
    <section className="mb-5 px-2">
      <h2 className="px-2 pb-1 text-xs font-semibold text-quiet">{title}</h2>
      {children.length ? <ul className="space-y-px">{children}</ul> : empty && <p className="px-2 text-sm text-quiet">{empty}</p>}
    </section>
  );
}

function Entry({ target, unread, what = "unread", children }: { target: string; unread: number; what?: string; children: ReactNode }) {
  const isOpen = useHub((view) => view.open === target);
  return (
    <li>
      <button
        type="button"
        aria-current={isOpen ? "page" : undefined}
        onClick={() => void hub.show(target)}
        className={`entry ${isOpen ? "bg-mark font-medium" : "hover:bg-raised"}`}
      >
        <span className={`grow truncate ${unread ? "font-semibold" : ""}`}>{children}</span>
        {unread > 0 && (
          <span className="rounded-full bg-accent px-1.5 text-xs leading-5 font-semibold text-on-accent tabular-nums">
            {unread > 99 ? "99+" : unread}
            <span className="sr-only"> {what}</span>
          </span>
        )}
      </button>
    </li>
  );
}

function Agent({ agent }: { agent: AgentSummary }) {
  const isLive = useHub((view) => view.link === "live");
  const activity = isLive ? (agent.activity ?? (agent.connected ? "idle" : "offline")) : "unknown";
  return (
    <li>
      <button
        type="button"
        onClick={() => void hub.openDm(agent.id)}
        title={`Write to ${agent.id} directly${agent.task ? `. Now: ${agent.task}` : ""}`}
        className="entry hover:bg-raised"
      >
        <span className={`size-2.5 shrink-0 rounded-full ${DOTS[activity] ?? ""}`} aria-hidden />
        <span className="grow truncate">{agent.name || agent.id}</span>
        <span className="text-xs text-quiet">{activity}</span>
      </button>
    </li>
  );
}
