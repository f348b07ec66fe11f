// Terminals of this person that still run on a machine: to go on with, or to end.

import { useMemo, useState } from "react";
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
  const end = (call_id: string) => hub.ask("calls.cancel", { call_id, reason: "ended in the console" }).then(() => setTrouble(""), (error: unknown) => setTrouble(troubleOf(error)));
  if (shells.length === 0 && !trouble) return null;
  return (
    <div className="mt-3">
      <ul aria-label={`Your terminals on ${name}`} className="divide-y divide-line rounded-lg border border-line">
        {shells.map((call) => (
          <li key={call.id} className="flex flex-wrap items-center gap-x-3 gap-y-1.5 px-3 py-2">
            <span className="min-w-0 grow text-sm">
              Terminal, opened {ago(call.created_at, now)} <span className="text-quiet">· {outcome(call)}</span>
            </span>
            <span className="flex gap-2">
              <button type="button" aria-label={`Go on with the terminal opened ${ago(call.created_at, now)}`} className="second" onClick={() => openTerminal(target, name, call.id)}>
                Go on
              </button>
              <button type="button" aria-label={`End the terminal opened ${ago(call.created_at, now)}`} className="second" onClick={() => void end(call.id)}>
                End
              </button>
            </span>
          </li>
        ))}
      </ul>
      <Trouble text={trouble} />
    </div>
  );
}
