// What the pages beside the conversations are made of.

import { type ReactNode, useEffect, useState } from "react";
import type { Scope } from "./wire";

const SCOPES: Record<Scope, string> = {
  observe: "read every room and conversation",
  write: "send messages",
  attach: "register agents and work as them",
  admin: "create, change and remove rooms and agents",
  operate: "back up, stop agents, read logs; with admin, change settings",
  devices: "let devices in and revoke them",
  keys: "make keys and add people",
  approve: "decide what waits for an approval",
  execute: "ask for commands on machines, within rules and approvals",
  pair: "speak for a paired network",
  node: "be a machine that the hub may ask for work",
};
const ORDER = Object.keys(SCOPES) as Scope[];
const POWERFUL = new Set<Scope>(["admin", "operate", "devices", "keys", "approve", "execute", "pair"]);

export function Page({ title, about, children }: { title: string; about: ReactNode; children?: ReactNode }) {
  return (
    <div className="min-h-0 grow overflow-y-auto">
      <div className="mx-auto w-full max-w-3xl p-4 sm:p-6">
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        <p className="mt-1 text-sm text-quiet">{about}</p>
        {children}
      </div>
    </div>
  );
}

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="mt-7">
      <h2 className="pb-2 text-xs font-semibold text-quiet">{title}</h2>
      {children}
    </section>
  );
}

/** A sentence of the hub with its commands marked as such. */
export function Said({ text }: { text: string }) {
  return text.split("`").map((part, at) =>
    at % 2 ? (
      <code key={at} className="code">
        {part}
      </code>
    ) : (
      part
    ),
  );
}

export function Trouble({ text }: { text: string }) {
  return text ? (
    <p role="alert" className="mt-3 text-sm text-bad">
      <Said text={text} />
    </p>
  ) : null;
}

/** The time, told anew each second while somebody looks. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

interface RightsChoice {
  legend: string;
  offered: readonly Scope[];
  held: readonly Scope[];
  chosen: readonly Scope[];
  choose(scopes: Scope[]): void;
}

/** Rights to choose from; what one does not hold cannot be handed out. */
export function Rights({ legend, offered, held, chosen, choose }: RightsChoice) {
  const isHeld = (scope: Scope) => held.includes(scope) || (scope === "observe" && held.includes("admin"));
  return (
    <fieldset className="mt-4">
      <legend className="text-sm font-medium">{legend}</legend>
      <ul className="mt-1 space-y-1">
        {ORDER.filter((scope) => offered.includes(scope)).map((scope) => (
          <li key={scope}>
            <label className="flex items-baseline gap-2 text-sm">
              <input
                type="checkbox"
                name={scope}
                checked={chosen.includes(scope)}
                disabled={!isHeld(scope)}
                onChange={(event) => choose(event.target.checked ? [...chosen, scope] : chosen.filter((each) => each !== scope))}
                className="translate-y-0.5 accent-accent"
              />
              <span>
                <code className="code">{scope}</code> <span className="text-quiet">{SCOPES[scope]}</span>
                {POWERFUL.has(scope) && <span className="ml-1.5 text-xs font-medium text-busy">powerful</span>}
                {!isHeld(scope) && <span className="ml-1.5 text-xs text-quiet">more than you have yourself</span>}
              </span>
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

/** A button that asks once more before it does what cannot be undone. */
export function Confirmed({ label, question, act }: { label: string; question: string; act(): void }) {
  const [isAsking, setAsking] = useState(false);
  if (!isAsking)
    return (
      <button type="button" className="second" onClick={() => setAsking(true)}>
        {label}
      </button>
    );
  return (
    <span role="group" aria-label={question} className="flex flex-wrap items-center gap-2 text-sm">
      <span className="text-bad">{question}</span>
      <button type="button" autoFocus className="second text-bad" onClick={act}>
        {label}
      </button>
      <button type="button" className="second" onClick={() => setAsking(false)}>
        Keep
      </button>
    </span>
  );
}

export function Labels({ scopes }: { scopes: readonly Scope[] }) {
  return (
    <span className="flex flex-wrap gap-1">
      {ORDER.filter((scope) => scopes.includes(scope)).map((scope) => (
        <code key={scope} className="code">
          {scope}
        </code>
      ))}
    </span>
  );
}
