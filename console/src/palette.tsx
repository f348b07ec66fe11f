import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { hub, useHub } from "./hub";
import { type MachinesView, mayApprove, mayExecute } from "./machines";
import { openNodePicker } from "./node-picker";
import { isPage } from "./route";
import { pages } from "./sidebar";
import { openTerminal } from "./terminal-frame";
import type { Scope } from "./wire";

interface Place {
  id: string;
  label: string;
  hint: string;
  go(): void;
}

const SHOWN_MAX = 12;
const OPEN = "instar:palette";

export function openPalette(): void {
  window.dispatchEvent(new Event(OPEN));
}

/** Every room, direct conversation, agent and action, by a few letters. */
export function Palette() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const open = () => setOpen(true);
    const pressed = (event: globalThis.KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOpen((now) => !now);
      }
    };
    window.addEventListener(OPEN, open);
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener(OPEN, open);
      window.removeEventListener("keydown", pressed);
    };
  }, []);
  return isOpen ? <Chooser close={() => setOpen(false)} /> : null;
}

function usePlaces(): Place[] {
  const rooms = useHub((view) => view.rooms);
  const dms = useHub((view) => view.dms);
  const agents = useHub((view) => view.agents);
  const isStopped = useHub((view) => view.isStopped);
  const me = useHub((view) => view.me);
  const machines = useHub((view) => view.machines);
  const open = useHub((view) => view.open);
  return useMemo(
    () => [
      ...rooms.map((room) => ({ id: `room:${room.id}`, label: `# ${room.name || room.id}`, hint: "room", go: () => void hub.show(`room:${room.id}`) })),
      ...agents
        .filter((agent) => agent.registered)
        .map((agent) => ({ id: agent.fqid, label: `@ ${agent.name || agent.id}`, hint: "write to the agent", go: () => void hub.openDm(agent.id) })),
      ...dms.map((dm) => ({ id: `dm:${dm.id}`, label: dm.participant_ids.join(", "), hint: "direct", go: () => void hub.show(`dm:${dm.id}`) })),
      ...pages(me).map(({ key, title }) => ({ id: key, label: title, hint: "page", go: () => void hub.show(key) })),
      ...machinePlaces(machines, me?.scopes ?? [], open),
      isStopped
        ? { id: "resume", label: "Let all agents run again", hint: "action", go: () => void hub.stopAll(false) }
        : { id: "stop", label: "Stop all agents", hint: "action", go: () => void hub.stopAll(true) },
      { id: "sign-out", label: "Sign out", hint: "action", go: () => void hub.signOut() },
    ],
    [rooms, dms, agents, isStopped, me, machines, open],
  );
}

/** Terminals, what waits for a decision, and where this conversation's calls go. */
function machinePlaces({ nodes, targets, approvals }: MachinesView, scopes: readonly Scope[], open: string): Place[] {
  const executes = mayExecute(scopes);
  const reachable = nodes.filter((node) => node.kind !== "ssh" && (node.is_connected || node.kind === "local"));
  return [
    ...(executes ? reachable.map((node) => ({ id: `terminal:${node.id}`, label: `Terminal on ${node.name}`, hint: "machine", go: () => openTerminal(node.id, node.name) })) : []),
    ...(executes ? targets.map((target) => ({ id: `terminal:ssh:${target.id}`, label: `Terminal on ${target.label}`, hint: "SSH target", go: () => openTerminal(`ssh:${target.label}`, target.label) })) : []),
    ...(mayApprove(scopes) ? approvals.map((each) => ({ id: each.id, label: `Decide: ${each.command}`, hint: "approval", go: () => void hub.show("page:approvals") })) : []),
    ...(executes && open && !isPage(open) ? [{ id: "route", label: "Choose where this conversation's calls run", hint: "action", go: openNodePicker }] : []),
  ];
}

function Chooser({ close }: { close(): void }) {
  const [wanted, setWanted] = useState("");
  const [chosen, setChosen] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const places = usePlaces();
  const found = places.filter((place) => place.label.toLowerCase().includes(wanted.trim().toLowerCase())).slice(0, SHOWN_MAX);
  useEffect(() => dialog.current?.showModal(), []);
  const go = (place: Place | undefined) => {
    if (!place) return;
    dialog.current?.close();
    place.go();
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (found.length) setChosen((chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(found[chosen]);
    }
  };
  return (
    <dialog
      ref={dialog}
      aria-label="Go to"
      onClose={close}
      onClick={(event) => event.target === dialog.current && dialog.current.close()}
      className="m-auto mt-[12vh] w-[min(32rem,calc(100vw-2rem))] overflow-hidden rounded-xl border border-line bg-panel p-0 text-ink shadow-xl backdrop:bg-black/40"
    >
      <input
        autoFocus
        role="combobox"
        aria-label="Room, agent or action"
        aria-expanded
        aria-controls="places"
        aria-activedescendant={found[chosen] ? `place-${chosen}` : undefined}
        placeholder="Room, agent or action"
        value={wanted}
        onChange={(event) => {
          setWanted(event.target.value);
          setChosen(0);
        }}
        onKeyDown={pressed}
        className="w-full border-b border-line bg-transparent px-4 py-3 outline-none placeholder:text-quiet"
      />
      <ul id="places" role="listbox" aria-label="Places" className="max-h-80 overflow-y-auto p-1.5">
        {found.map((place, index) => (
          <li
            key={place.id}
            id={`place-${index}`}
            role="option"
            aria-selected={index === chosen}
            onClick={() => go(place)}
            className={`flex cursor-pointer items-baseline gap-3 rounded-lg px-3 py-1.5 ${index === chosen ? "bg-mark" : "hover:bg-raised"}`}
          >
            <span className="grow truncate">{place.label}</span>
            <span className="text-xs text-quiet">{place.hint}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="px-4 pb-3 text-sm text-quiet">Nothing is called like that.</p>}
    </dialog>
  );
}
