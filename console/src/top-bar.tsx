import { useState } from "react";
import { hub, useHub } from "./hub";
import { Icon } from "./icons";
import type { LinkState } from "./link";
import { openPalette } from "./palette";

const LINK: Record<LinkState, { label: string; dot: string; text: string }> = {
  connecting: { label: "Connecting", dot: "bg-busy animate-pulse", text: "text-busy" },
  live: { label: "Live", dot: "bg-good", text: "text-quiet" },
  offline: { label: "Offline", dot: "bg-bad", text: "text-bad" },
  "signed-out": { label: "Signed out", dot: "bg-bad", text: "text-bad" },
};
const THEMES = ["system", "light", "dark"] as const;
type ThemeName = (typeof THEMES)[number];

export function TopBar() {
  const link = useHub((view) => view.link);
  const network = useHub((view) => view.network);
  const me = useHub((view) => view.me);
  const isMenuOpen = useHub((view) => view.isMenuOpen);
  const state = LINK[link];
  return (
    <header className="flex h-12 shrink-0 items-center gap-2 border-b border-line bg-panel px-3">
      <button
        type="button"
        aria-label="Rooms and agents"
        aria-expanded={isMenuOpen}
        aria-controls="sidebar"
        onClick={() => hub.setMenu(!isMenuOpen)}
        className="quiet-button sm:hidden"
      >
        <Icon name="menu" />
      </button>
      <img src="/console/icon.svg" alt="" className="size-6 max-sm:hidden" />
      <span className="truncate font-semibold tracking-tight">{network?.name ?? "Instar"}</span>
      <span role="status" className={`ml-1 flex items-center gap-1.5 rounded-full border border-line px-2 py-0.5 text-xs ${state.text}`}>
        <span className={`size-2 rounded-full ${state.dot}`} aria-hidden />
        {state.label}
      </span>
      <span className="grow" />
      <button type="button" title="Go to a room, an agent or an action" onClick={openPalette} className="quiet-button gap-2">
        <Icon name="search" />
        <span className="max-md:sr-only">Go to</span>
        <kbd aria-hidden className="rounded border border-line px-1 font-sans text-xs max-md:hidden">Ctrl K</kbd>
      </button>
      <Theme />
      {me && (
        <span className="max-w-40 truncate px-1 text-sm text-quiet max-sm:hidden" title={`Signed in with ${me.scopes.join(", ")}`}>
          {me.principal.name || me.principal.id}
        </span>
      )}
      <button type="button" aria-label="Sign out" title="Sign out" className="quiet-button" onClick={() => void hub.signOut()}>
        <Icon name="leave" />
      </button>
    </header>
  );
}

function chooseTheme(next: ThemeName): void {
  document.documentElement.dataset["theme"] = next;
  localStorage.setItem("instar.theme", next);
}

function Theme() {
  const [theme, setTheme] = useState<ThemeName>(() => THEMES.find((each) => each === document.documentElement.dataset["theme"]) ?? "system");
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  return (
    <button
      type="button"
      aria-label={`Theme: ${theme}. Change to ${next}.`}
      title={`Theme: ${theme}`}
      className="quiet-button"
      onClick={() => {
        chooseTheme(next);
        setTheme(next);
      }}
    >
      <Icon name={theme} />
    </button>
  );
}
