// Letting devices in: the window in which unknown ones may ask, and each that asks, with the rights that it gets.

import { useState } from "react";
import { hub, useHub } from "./hub";
import { Part, Rights, Trouble, useNow } from "./page";
import { ago, countdown } from "./time";
import type { PairingRequest, PairingWindow, Scope } from "./wire";

const OPEN_S = 600;
const REASONS: Record<string, string> = {
  "role-upgrade": "It is known, and asks for another role.",
  "scope-upgrade": "It is known, and asks for more rights.",
  "metadata-upgrade": "It is known, and says that it runs on another system now.",
};

export function Window({ window }: { window: PairingWindow }) {
  const [trouble, setTrouble] = useState("");
  const left = countdown(window.closes_at, useNow());
  const isOpen = window.is_open && left !== "";
  const open = async () => setTrouble(await hub.act("pairing.open", { for_s: OPEN_S }));
  const close = async () => setTrouble(await hub.act("pairing.close", {}));
  return (
    <Part title="Pairing">
      <div className={`rounded-xl border p-4 ${isOpen ? "border-accent bg-mark" : "border-line bg-panel"}`}>
        <div className="flex flex-wrap items-center gap-3">
          <p role="status" className="grow">
            {isOpen ? (
              <>
                Unknown devices may ask for <span className="font-mono font-medium tabular-nums">{left}</span>
              </>
            ) : (
              "Unknown devices cannot ask."
            )}
          </p>
          {isOpen && (
            <button type="button" className="second" onClick={() => void close()}>
              Close
            </button>
          )}
          <button type="button" className={isOpen ? "second" : "primary"} onClick={() => void open()}>
            {isOpen ? "10 minutes more" : "Open for 10 minutes"}
          </button>
        </div>
        <p className="mt-2 text-sm break-words text-quiet">
          {isOpen ? "On" : "Open the window, which closes by itself, then on"} the device run{" "}
          <code className="code">instar pair {location.origin}</code>
          {isOpen && (
            <>
              . It shows this hub's key as <code className="block font-mono text-xs break-all">{window.hub_fingerprint}</code>
            </>
          )}
        </p>
        <Trouble text={trouble} />
      </div>
    </Part>
  );
}

export function Requests({ requests }: { requests: PairingRequest[] }) {
  if (requests.length === 0) return null;
  return (
    <Part title={requests.length === 1 ? "One device asks to be let in" : `${requests.length} devices ask to be let in`}>
      <ul className="space-y-4">
        {requests.map((request) => (
          <li key={request.id}>
            <Card request={request} />
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Card({ request }: { request: PairingRequest }) {
  const held = useHub((view) => view.me?.scopes) ?? [];
  const now = useNow();
  const left = countdown(request.expires_at, now);
  const [chosen, setChosen] = useState<Scope[]>(() => request.scopes.filter((scope) => held.includes(scope) || (scope === "observe" && held.includes("admin"))));
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);
  const name = request.facts.name || request.alias || request.device_id.slice(0, 12);
  const decide = async (decision: Promise<string>) => {
    setBusy(true);
    setTrouble(await decision);
    setBusy(false);
  };
  const approve = () => decide(hub.act("devices.approve", { request_id: request.id, digest: request.digest, scopes: chosen }));
  const reject = () => decide(hub.act("devices.reject", { request_id: request.id }));
  return (
    <article aria-label={`${name} asks to be let in`} className="rounded-xl border border-edge bg-panel p-4 shadow-sm sm:p-5">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <h3 className="text-lg font-semibold break-words">
          <bdi>{name}</bdi>
        </h3>
        <span className="text-sm text-quiet">
          as {request.role === "node" ? "a node" : "an operator's device"} · asked {ago(request.created_at, now)} ·{" "}
          <span className="tabular-nums whitespace-nowrap">{left ? `waits ${left} more` : "waits no more"}</span>
        </span>
      </div>
      {request.reason && REASONS[request.reason] && <p className="mt-1 text-sm text-busy">{REASONS[request.reason]}</p>}
      <Fingerprint request={request} />
      <Said request={request} />
      <Rights legend="It may" offered={request.scopes} held={held} chosen={chosen} choose={setChosen} />
      {request.scopes.length === 0 && <p className="mt-3 text-sm text-quiet">It asks for no rights.</p>}
      <Trouble text={trouble} />
      <div className="mt-4 flex gap-2">
        <button type="button" className="primary" disabled={isBusy} onClick={() => void approve()}>
          Approve
        </button>
        <button type="button" className="second" disabled={isBusy} onClick={() => void reject()}>
          Reject
        </button>
      </div>
    </article>
  );
}

function Fingerprint({ request }: { request: PairingRequest }) {
  if (!request.fingerprint) return <p className="mt-3 text-sm text-busy">It has no key: whoever holds its token is it.</p>;
  return (
    <div className="mt-3">
      <p data-testid="fingerprint" className="rounded-lg bg-raised px-3 py-2 font-mono text-lg leading-snug break-all select-all">
        {request.fingerprint}
      </p>
      <p className="mt-1 text-sm text-quiet">Approve only if the device shows the same.</p>
    </div>
  );
}

/** What it says of itself: shown, never believed. */
function Said({ request }: { request: PairingRequest }) {
  const { platform, family, model, version, client_id } = request.facts;
  const said: [string, string | undefined][] = [
    ["Platform", [platform, family, model].filter(Boolean).join(" · ")],
    ["Program", [client_id, version].filter(Boolean).join(" ")],
    ["Address", request.address],
    // Words of its dialect; what is the same in ours stands below.
    ["Asks for", request.asked?.some((word) => !(request.scopes as string[]).includes(word)) ? request.asked.join(", ") : ""],
  ];
  return (
    <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 text-sm">
      {said
        .filter(([, value]) => value)
        .map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="text-quiet">{label}</dt>
            <dd className="break-words">
              <bdi>{value}</bdi>
            </dd>
          </div>
        ))}
    </dl>
  );
}
