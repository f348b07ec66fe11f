import { useEffect } from "react";
import { Conversation } from "./conversation";
import { hub, useHub } from "./hub";
import { SignIn } from "./sign-in";
import { Sidebar } from "./sidebar";
import { TopBar } from "./top-bar";

const BASE = "/console/";

/** Keep the address bar and the conversation on screen in step: /console/room/general, /console/dm/ID. */
function useDeepLink(open: string): void {
  useEffect(() => {
    const shown = keyOfPath(window.location.pathname);
    if (shown) void hub.show(shown);
    const back = () => {
      const key = keyOfPath(window.location.pathname);
      if (key) void hub.show(key);
    };
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, []);
  useEffect(() => {
    const path = open.includes(":") ? BASE + open.replace(":", "/") : BASE;
    if (open && window.location.pathname !== path) history.pushState(null, "", path);
  }, [open]);
}

function keyOfPath(path: string): string {
  const match = /^\/console\/(room|dm)\/([^/]+)$/.exec(path);
  return match ? `${match[1]}:${decodeURIComponent(match[2] ?? "")}` : "";
}

export function App() {
  const link = useHub((view) => view.link);
  const open = useHub((view) => view.open);
  const notice = useHub((view) => view.notice);
  useDeepLink(open);
  if (link === "signed-out") return <SignIn notice={notice} />;
  return (
    <div className="flex h-full flex-col">
      <TopBar />
      {notice && (
        <div role="alert" className="flex items-center gap-3 border-b border-line bg-raised px-4 py-2 text-sm">
          <span className="grow text-bad">{notice}</span>
          <button type="button" className="rounded px-2 py-1 hover:bg-page" onClick={() => hub.dismiss()}>
            Dismiss
          </button>
        </div>
      )}
      <div className="flex min-h-0 grow">
        <Sidebar />
        <main className="flex min-w-0 grow flex-col">{open ? <Conversation key={open} room={open} /> : <Nothing />}</main>
      </div>
    </div>
  );
}

function Nothing() {
  return (
    <div className="m-auto max-w-sm p-6 text-center text-quiet">
      <p>There is no room that you may read yet.</p>
      <p className="mt-2">
        Make one: <code className="rounded bg-raised px-1.5 py-0.5">instar rooms create review</code>
      </p>
    </div>
  );
}
