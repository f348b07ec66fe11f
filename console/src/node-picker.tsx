// Where the calls of this conversation go: kept by the hub, so it is the same after a reload and on every device.

import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { choices, chosen } from "./choices";
import { hub, useHub } from "./hub";
import { mayExecute } from "./machines";

const OPEN = "instar:nodes";

export function openNodePicker(): void {
  window.dispatchEvent(new Event(OPEN));
}

export function NodePicker({ room }: { room: string }) {
  const { nodes, targets, routes } = useHub((view) => view.machines);
  const isAllowed = useHub((view) => mayExecute(view.me?.scopes ?? []));
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const [trouble, setTrouble] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const wanted = routes.find((route) => route.room === room)?.target ?? "";
  const found = choices(nodes, targets);
  const now = chosen(found, nodes, wanted);
  const begin = () => {
    setAt(Math.max(0, found.findIndex((each) => each.target === now.target)));
    setOpen(true);
  };
  useEffect(() => {
    if (isOpen) list.current?.focus();
  }, [isOpen]);
  useEffect(() => {
    window.addEventListener(OPEN, begin);
    return () => window.removeEventListener(OPEN, begin);
  });
  const isNeeded = wanted !== "" || targets.length > 0 || nodes.some((node) => node.kind === "node");
  if (!isAllowed || !isNeeded) return null;
  const leave = () => {
    setOpen(false);
    button.current?.focus();
  };
  const choose = async (target: string) => {
    leave();
    setTrouble(target === wanted ? "" : await hub.act("routes.set", { room, target }));
  };
  const pressed = (event: KeyboardEvent) => {
    const last = found.length - 1;
    const next: Record<string, number> = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at === 0 ? last : at - 1, Home: 0, End: last };
    if (event.key in next) setAt(next[event.key] ?? 0);
    else if (event.key === "Enter" || event.key === " ") void choose(found[at]?.target ?? "");
    else if (event.key === "Escape") leave();
    else return;
    event.preventDefault();
  };
  return (
    <div className="relative flex flex-wrap items-center gap-x-2 pb-1">
      <button ref={button} type="button" aria-haspopup="listbox" aria-expanded={isOpen} aria-label={`Calls of this conversation run on: ${now.label}`} title={now.note} onClick={() => (isOpen ? leave() : begin())} className="quiet-button max-w-full gap-1.5">
        <span aria-hidden className={`size-2 rounded-full ${now.label.endsWith("(gone)") || now.note === "not connected" ? "border-2 border-bad" : "bg-good"}`} />
        <span className="truncate">{now.label}</span>
        <span aria-hidden>▾</span>
      </button>
      {trouble && (
        <p role="alert" className="text-sm text-bad">
          {trouble}
        </p>
      )}
      {isOpen && (
        <ul
          ref={list}
          role="listbox"
          tabIndex={-1}
          aria-label="Run calls on"
          aria-activedescendant={`choice-${at}`}
          onKeyDown={pressed}
          onBlur={() => setOpen(false)}
          className="absolute bottom-full left-0 z-10 mb-1 max-h-80 w-80 max-w-[85vw] overflow-y-auto rounded-xl border border-line bg-panel p-1 shadow-lg outline-none"
        >
          {found.map((choice, index) => (
            <li
              key={choice.target}
              id={`choice-${index}`}
              role="option"
              aria-selected={choice.target === now.target}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => void choose(choice.target)}
              className={`flex cursor-pointer items-baseline gap-2 rounded-lg px-2.5 py-1.5 ${index === at ? "bg-mark" : "hover:bg-raised"}`}
            >
              <span aria-hidden className="w-3 shrink-0 text-accent">
                {choice.target === now.target ? "✓" : ""}
              </span>
              <span className="max-w-[65%] shrink-0 truncate font-medium">{choice.label}</span>
              <span className="grow truncate text-right text-xs text-quiet">{choice.note}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
