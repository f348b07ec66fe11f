// Terminals of this person that still run on a machine: to go on with, or to end.

import { useEffect, useMemo, useRef, useState } from "react";
import { outcome } from "./calls";
import { hub, troubleOf, useHub } from "./hub";
import { Trouble, useNow } from "./page";
import { shellsOn } from "./shells";
import { openTerminal } from "./terminal-frame";
import { ago } from "./time";

export function ShellList({ target, targetId, name }: { target: string; targetId: string; name: string }) {
  const all = useHub((view) => view.machines.shells);
  const me = useHub((view) => view.me?.principal.id) ?? "";
  const shells = useMemo(() => shellsOn(all, targetId, me), [all, targetId, me]);
  const now = useNow();
  const [trouble, setTrouble] = useState("");
  const [said, say] = useState("");
  const place = useRef<HTMLDivElement>(null);
  const hadFocus = useRef(false);
  // Whoever ended one by keyboard goes on from here, not from the top of the page.
  useEffect(() => {
    if (hadFocus.current && document.activeElement === document.body) place.current?.focus({ preventScroll: true });
  }, [shells.length]);
  const end = async (call_id: string) => {
    const cause = await hub.ask("calls.cancel", { call_id, reason: "ended in the console" }).then(() => "", troubleOf);
    setTrouble(cause);
    say(cause ? "" : "The terminal has ended.");
  };
  return (
    <div ref={place} tabIndex={-1} onFocus={() => (hadFocus.current = true)} onBlur={(event) => (hadFocus.current = event.relatedTarget === null)} className={shells.length ? "mt-3" : ""}>
      <span role="status" className="sr-only">
        {said}
      </span>
      {shells.length > 0 && (
        <ul aria-label={`Your terminals on ${name}`} className="divide-y divide-line rounded-lg border border-line">
          {shells.map((call) => {
            const at = new Date(call.created_at).toLocaleTimeString();
            return (
              <li key={call.id} className="flex flex-wrap items-center gap-x-3 gap-y-1.5 px-3 py-2">
                <span className="min-w-0 grow text-sm">
                  Terminal of {at}, {ago(call.created_at, now)} <span className="text-quiet">· {outcome(call)}</span>
                </span>
                <span className="flex gap-2">
                  <button type="button" aria-label={`Go on with the terminal of ${at}`} className="second" onClick={() => openTerminal(target, name, call.id)}>
                    Go on
                  </button>
                  <button type="button" aria-label={`End the terminal of ${at}`} className="second" onClick={() => void end(call.id)}>
                    End
                  </button>
                </span>
              </li>
            );
          })}
        </ul>
      )}
      <Trouble text={trouble} />
    </div>
  );
}
