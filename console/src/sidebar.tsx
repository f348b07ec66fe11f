import type { ReactNode } from "react";
import { hub, useHub } from "./hub";
import type { AgentSummary } from "./wire";

const DOTS: Record<string, string> = { idle: "bg-good", busy: "bg-busy", paused: "bg-quiet", offline: "border border-quiet" };

export function Sidebar() {
  const rooms = useHub((view) => view.rooms);
  const dms = useHub((view) => view.dms);
  const agents = useHub((view) => view.agents);
  return (
    <nav aria-label="Conversations and agents" className="w-60 shrink-0 overflow-y-auto border-r border-line bg-panel py-3 max-sm:w-44">
      <Section title="Rooms" empty="No rooms yet: instar rooms create review">
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
              {dm.participant_ids.filter((id) => id !== "operator").join(", ")}
            </Entry>
          ))}
        </Section>
      )}
      <Section title="Agents" empty="No agents yet: instar agents register beta">
        {agents.map((agent) => (
          <Agent key={agent.fqid} agent={agent} />
        ))}
      </Section>
    </nav>
  );
}

function Section({ title, empty, children }: { title: string; empty?: string; children: ReactNode[] }) {
  return (
    <section className="mb-4 px-2">
      <h2 className="px-2 pb-1 text-xs font-semibold tracking-wide text-quiet uppercase">{title}</h2>
      {children.length ? <ul>{children}</ul> : <p className="px-2 text-sm text-quiet">{empty}</p>}
    </section>
  );
}

function Entry({ target, unread, children }: { target: string; unread: number; children: ReactNode }) {
  const isOpen = useHub((view) => view.open === target);
  return (
    <li>
      <button
        type="button"
        aria-current={isOpen ? "page" : undefined}
        onClick={() => void hub.show(target)}
        className={`flex w-full items-center gap-1.5 rounded-md px-2 py-1 text-left ${isOpen ? "bg-mark font-medium" : "hover:bg-raised"}`}
      >
        <span className={`grow truncate ${unread ? "font-semibold" : ""}`}>{children}</span>
        {unread > 0 && (
          <span className="rounded-full bg-accent px-1.5 text-xs leading-5 font-semibold text-on-accent">
            {unread > 99 ? "99+" : unread}
            <span className="sr-only"> unread</span>
          </span>
        )}
      </button>
    </li>
  );
}

function Agent({ agent }: { agent: AgentSummary }) {
  const activity = agent.activity ?? (agent.connected ? "idle" : "offline");
  return (
    <li>
      <button
        type="button"
        onClick={() => void hub.openDm(agent.id)}
        title={`${agent.fqid}${agent.task ? `: ${agent.task}` : ""}. Click to write to it directly.`}
        className="flex w-full items-center gap-2 rounded-md px-2 py-1 text-left hover:bg-raised"
      >
        <span className={`size-2.5 shrink-0 rounded-full ${DOTS[activity] ?? ""}`} aria-hidden />
        <span className="truncate">{agent.name || agent.id}</span>
        <span className="grow truncate text-right text-xs text-quiet">{agent.task || activity}</span>
      </button>
    </li>
  );
}
