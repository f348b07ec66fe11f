// The dialog around a terminal on a machine; the terminal itself is loaded when it is first opened.

import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { isEnded } from "./calls";
import { hub, useHub } from "./hub";
import { keep, kept, type OpenShell } from "./shells";

const OPEN = "instar:terminal";
const Terminal = lazy(() => import("./terminal"));

/** Open a terminal with the login shell of a machine, or go on with one that runs there. */
export function openTerminal(target: string, name: string, callId = ""): void {
  window.dispatchEvent(new CustomEvent<OpenShell>(OPEN, { detail: { target, name, callId } }));
}

export function TerminalFrame() {
  const [wanted, setWanted] = useState<OpenShell | null>(null);
  const me = useHub((view) => view.me?.principal.id);
  useEffect(() => {
    const open = (event: Event) => setWanted((event as CustomEvent<OpenShell>).detail);
    window.addEventListener(OPEN, open);
    return () => window.removeEventListener(OPEN, open);
  }, []);
  useEffect(() => {
    if (me) void comeBack(me);
  }, [me]);
  const leave = () => {
    keep(null);
    setWanted(null);
  };
  return wanted ? <Frame key={`${wanted.target} ${wanted.callId}`} wanted={wanted} leave={leave} /> : null;
}

/** Show what this tab showed before it was loaded anew, if it still runs and is this person's. */
async function comeBack(me: string): Promise<void> {
  const before = kept();
  if (!before) return;
  const call = await hub.ask("calls.get", { call_id: before.callId }).catch(() => null);
  if (!call) return;
  if (!isEnded(call) && call.requester === me) openTerminal(before.target, before.name, before.callId);
  else keep(null);
}

function Frame({ wanted, leave }: { wanted: OpenShell; leave(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-label={`Terminal on ${wanted.name}`}
      // Escape belongs to the program in the terminal.
      onCancel={(event) => event.preventDefault()}
      onKeyDown={(event) => event.key === "Escape" && event.preventDefault()}
      onClose={leave}
      className="m-auto h-[min(40rem,calc(100dvh-1rem))] max-h-none w-[min(64rem,calc(100vw-1rem))] max-w-none overflow-hidden rounded-xl border border-line bg-panel p-0 text-ink shadow-xl backdrop:bg-black/50"
    >
      <Suspense fallback={<p className="p-6 text-quiet">Loading the terminal…</p>}>
        <Terminal shell={wanted} leave={() => dialog.current?.close()} />
      </Suspense>
    </dialog>
  );
}
