import { useEffect } from "react";
import { Approvals } from "./approvals";
import { Conversation } from "./conversation";
import { Devices } from "./devices";
import { hub, useHub } from "./hub";
import { Nodes } from "./nodes";
import { Palette } from "./palette";
import { People } from "./people";
import { isPage } from "./route";
import { SignIn } from "./sign-in";
import { Sidebar } from "./sidebar";
import { TerminalFrame } from "./terminal-frame";
import { TopBar } from "./top-bar";

export function App() {
  const link = useHub((view) => view.link);
  const me = useHub((view) => view.me);
  const open = useHub((view) => view.open);
  const notice = useHub((view) => view.notice);
  const isStopped = useHub((view) => view.isStopped);
  const announcement = useHub((view) => view.announcement);
  const unread = useHub((view) => [...view.rooms, ...view.dms].reduce((sum, each) => sum + (each.unread_count ?? 0), 0));
  const name = useHub((view) => view.network?.name ?? "Instar");
  useEffect(() => {
    document.title = unread ? `(${unread}) ${name}` : name;
  }, [unread, name]);
  if (link === "signed-out") return <SignIn notice={notice} />;
  return (
    <div className="flex h-full flex-col">
      <a href={isPage(open) ? "#main" : "#composer"} className="sr-only focus:not-sr-only focus:absolute focus:z-30 focus:m-2 focus:rounded-lg focus:bg-accent focus:px-3 focus:py-2 focus:text-on-accent">
        {isPage(open) ? "Skip to the page" : "Skip to the message box"}
      </a>
      <TopBar />
      {link === "offline" && <Offline />}
      {isStopped && <Stopped />}
      {notice && (
        <div role="alert" className="flex items-center gap-3 border-b border-line bg-bad-soft px-4 py-2 text-sm text-bad">
          <span className="min-w-0 grow break-words">{notice}</span>
          <button type="button" className="rounded-md px-2 py-1 font-medium hover:bg-panel" onClick={() => hub.dismiss()}>
            Dismiss
          </button>
        </div>
      )}
      <div className="relative flex min-h-0 grow">
        <Sidebar />
        <main id="main" tabIndex={-1} className="flex min-w-0 grow flex-col bg-page outline-none">
          <Place open={open} isLoaded={me !== null} />
        </main>
      </div>
      <p role="log" aria-live="polite" className="sr-only">
        {announcement}
      </p>
      <TerminalFrame />
      <Palette />
    </div>
  );
}

function Place({ open, isLoaded }: { open: string; isLoaded: boolean }) {
  if (open === "page:nodes") return <Nodes />;
  if (open === "page:approvals") return <Approvals />;
  if (open === "page:devices") return <Devices />;
  if (open === "page:people") return <People />;
  if (open && !isPage(open)) return <Conversation key={open} room={open} />;
  return isLoaded ? <Nothing /> : <p className="m-auto text-quiet">Loading…</p>;
}

function Offline() {
  return (
    <div role="status" data-testid="offline" className="flex items-center gap-3 border-b border-line bg-busy-soft px-4 py-2 text-sm text-busy">
      <span className="grow">The hub does not answer. What you write is kept here and sent when it is back.</span>
      <button type="button" className="rounded-md px-2 py-1 font-medium whitespace-nowrap hover:bg-panel" onClick={() => hub.retryNow()}>
        Try now
      </button>
    </div>
  );
}

function Stopped() {
  return (
    <div role="status" className="flex items-center gap-3 border-b border-line bg-bad-soft px-4 py-2 text-sm text-bad">
      <span className="grow">All agents are stopped. What is written waits for them.</span>
      <button type="button" className="rounded-md px-2 py-1 font-medium whitespace-nowrap hover:bg-panel" onClick={() => void hub.stopAll(false)}>
        Let them run
      </button>
    </div>
  );
}

function Nothing() {
  return (
    <div className="m-auto max-w-sm p-6 text-center text-quiet">
      <p>There is no room that you may read yet.</p>
      <p className="mt-2">
        Make one: <code className="code">instar rooms create review</code>
      </p>
    </div>
  );
}
