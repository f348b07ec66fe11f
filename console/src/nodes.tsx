import { useState } from "react";
import { Copyable } from "./copyable";
import { RemoteExecStatus } from "./exec-status";
import { hub, useHub } from "./hub";
import { joining } from "./joining";
import { maySee } from "./machines";
import { NodeCard } from "./node-card";
import { NodeRequests } from "./node-requests";
import { Page, Part, Said, Trouble, useNow } from "./page";
import { SshTargets } from "./ssh-targets";
import { countdown } from "./time";
import type { PairingWindow } from "./wire";

const OPEN_S = 600;

/** Machines that commands run on. */
export function Nodes() {
  const { nodes, requests, status, isLoaded } = useHub((view) => view.machines);
  const window = useHub((view) => view.access.window);
  const maySeeNodes = useHub((view) => maySee(view.me?.scopes ?? []));
  const about = "Machines that agents and people run commands on. Each dials in with a key of its own; nothing runs there that the rules or a person did not allow.";
  if (isLoaded && !maySeeNodes) return <Page title="Nodes" about="Who sees machines needs scope observe or execute, which you do not have." />;
  const shown = nodes.filter((node) => node.kind !== "ssh");
  return (
    <Page title="Nodes" about={about}>
      <NodeRequests requests={requests} />
      {status && <RemoteExecStatus status={status} />}
      <Part title="Machines">
        <ul className="space-y-3">
          {shown.map((node) => (
            <li key={node.id}>
              <NodeCard node={node} />
            </li>
          ))}
        </ul>
        {isLoaded && !shown.some((node) => node.kind === "node") && <p className="mt-3 text-sm text-quiet">No other machine has joined yet. {window ? "Add one below." : "Somebody with scope devices lets machines in."}</p>}
      </Part>
      {window && <Joining window={window} />}
      <SshTargets />
    </Page>
  );
}

/** Let another machine join: open the window, copy one command. */
function Joining({ window }: { window: PairingWindow }) {
  const [trouble, setTrouble] = useState("");
  const left = countdown(window.closes_at, useNow());
  const isOpen = window.is_open && left !== "";
  const open = async () => setTrouble(await hub.act("pairing.open", { for_s: OPEN_S }));
  const close = async () => setTrouble(await hub.act("pairing.close", {}));
  const { command, certificate, hints } = joining(location.origin, window.reach);
  return (
    <Part title="Add a machine">
      <div className={`rounded-xl border p-4 ${isOpen ? "border-accent bg-mark" : "border-line bg-panel"}`}>
        <div className="flex flex-wrap items-center gap-3">
          <p role="status" className="grow">
            {isOpen ? (
              <>
                Unknown machines may ask for <span className="font-mono font-medium tabular-nums">{left}</span>
              </>
            ) : (
              "Unknown machines cannot ask."
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
        <p className="mt-3 mb-1.5 text-sm">{isOpen ? "On" : "Open the window, which closes by itself, then on"} the machine run</p>
        <Copyable text={command} label="the command" />
        {hints.map((hint) => (
          <p key={hint} className="mt-2 rounded-lg bg-busy-soft px-3 py-2 text-sm text-busy">
            <Said text={hint} />
          </p>
        ))}
        <Compared window={window} certificate={certificate} />
        <Trouble text={trouble} />
      </div>
    </Part>
  );
}

/** What the machine prints, and with what it is compared. */
function Compared({ window, certificate }: { window: PairingWindow; certificate: string }) {
  const rows: [string, string, string][] = [
    ["This node", "", "must be what its request shows at the top of this page, before you approve it."],
    ["The hub's key", window.hub_fingerprint, "must be this one:"],
  ];
  if (certificate) rows.push(["The certificate", certificate, "is compared by the machine itself, as the command names it:"]);
  return (
    <dl aria-label="What is compared" className="mt-3 space-y-2 text-sm">
      {rows.map(([name, fingerprint, about]) => (
        <div key={name}>
          <dt className="inline font-medium">{name}</dt>{" "}
          <dd className="inline text-quiet">
            {about} {fingerprint && <code className="block font-mono text-xs break-all text-ink select-all">{fingerprint}</code>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
