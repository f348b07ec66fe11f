import { useState } from "react";
import { hub, useHub } from "./hub";
import type { LinkState } from "./link";

const LINK: Record<LinkState, { label: string; dot: string }> = {
  connecting: { label: "Connecting", dot: "bg-busy" },
  live: { label: "Live", dot: "bg-good" },
  offline: { label: "Offline, trying again", dot: "bg-bad" },
  "signed-out": { label: "Signed out", dot: "bg-bad" },
};
const THEMES = ["system", "light", "dark"] as const;

export function TopBar() {
  const link = useHub((view) => view.link);
  const network = useHub((view) => view.network);
  const me = useHub((view) => view.me);
  const state = LINK[link];
  return (
    <header className="flex items-center gap-4 border-b border-line bg-panel px-4 py-2">
      <span className="text-lg font-semibold tracking-tight">{network?.name ?? "Instar"}</span>
      <span role="status" className="flex items-center gap-2 text-sm text-quiet">
        <span className={`size-2.5 rounded-full ${state.dot}`} aria-hidden />
        {state.label}
      </span>
      <span className="grow" />
      <Theme />
      {me && (
        <span className="hidden text-sm text-quiet sm:inline" title={me.scopes.join(", ")}>
          {me.principal.name || me.principal.id}
        </span>
      )}
      <button type="button" className="rounded-md px-2 py-1 text-sm text-quiet hover:bg-raised" onClick={() => void hub.signOut()}>
        Sign out
      </button>
    </header>
  );
}

function Theme() {
  const [theme, setTheme] = useState(document.documentElement.dataset["theme"] ?? "system");
  const choose = (next: string) => {
    document.documentElement.dataset["theme"] = next;
    localStorage.setItem("instar.theme", next);
    setTheme(next);
  };
  return (
    <label className="flex items-center gap-1.5 text-sm text-quiet">
      Theme
      <select value={theme} onChange={(event) => choose(event.target.value)} className="rounded-md border border-line bg-panel px-1.5 py-1 text-ink">
        {THEMES.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
}
