// The dialog around a terminal on a machine; the terminal itself is loaded when it is first opened.

import { lazy, Suspense, useEffect, useRef, useState } from "react";

const OPEN = "instar:terminal";
const Terminal = lazy(() => import("./terminal"));

interface Wanted {
  target: string;
  name: string;
}

/** Open a terminal with the login shell of a machine. */
export function openTerminal(target: string, name: string): void {
  window.dispatchEvent(new CustomEvent<Wanted>(OPEN, { detail: { target, name } }));
}

export function TerminalFrame() {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  useEffect(() => {
    const open = (event: Event) => setWanted((event as CustomEvent<Wanted>).detail);
    window.addEventListener(OPEN, open);
    return () => window.removeEventListener(OPEN, open);
  }, []);
  return wanted ? <Frame key={wanted.target} wanted={wanted} leave={() => setWanted(null)} /> : null;
}

function Frame({ wanted, leave }: { wanted: Wanted; leave(): void }) {
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
        <Terminal target={wanted.target} name={wanted.name} leave={() => dialog.current?.close()} />
      </Suspense>
    </dialog>
  );
}
