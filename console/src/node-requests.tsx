// Machines that ask to be nodes: their fingerprint, and what they may be asked, decided in one step.

import { useState } from "react";
import { hub, useHub } from "./hub";
import { Part, Trouble, useNow } from "./page";
import { ago, countdown } from "./time";
import type { NodeRequest, Permit } from "./wire";

interface Choice {
  title: string;
  about: string;
  commands: string[];
}

const FILES = ["read_file", "write_file", "edit_file", "list", "glob", "grep", "apply_patch", "put_file", "get_file"];
export const CHOICES: Choice[] = [
  { title: "Everything it offers", about: "commands, files, jobs; each call is still judged by the rules", commands: ["*"] },
  { title: "Files only", about: "read, search and change files below its own folders", commands: FILES },
  { title: "Reading only", about: "read and search files", commands: ["read_file", "list", "glob", "grep", "get_file"] },
  { title: "Nothing yet", about: "it is let in, and may be asked for nothing until you say so", commands: [] },
];

/** Choose what a node may be asked. */
export function PermitChoice({ legend, name, commands, choose, declared = [] }: { legend: string; name: string; commands: readonly string[]; choose(commands: string[]): void; declared?: readonly string[] }) {
  const same = (choice: Choice) => choice.commands.join() === commands.join();
  const others = declared.filter((command) => !FILES.includes(command));
  return (
    <fieldset className="mt-4">
      <legend className="text-sm font-medium">{legend}</legend>
      <ul className="mt-1 space-y-1">
        {CHOICES.map((choice) => (
          <li key={choice.title}>
            <label className="flex items-baseline gap-2 text-sm">
              <input type="radio" name={name} checked={same(choice)} onChange={() => choose(choice.commands)} className="translate-y-0.5 accent-accent" />
              <span>
                <span className="font-medium">{choice.title}</span> <span className="text-quiet">{choice.about}</span>
              </span>
            </label>
          </li>
        ))}
      </ul>
      {others.length > 0 && <p className="mt-1 text-sm break-words text-quiet">It offers: {declared.join(", ")}</p>}
    </fieldset>
  );
}

export function NodeRequests({ requests }: { requests: NodeRequest[] }) {
  if (requests.length === 0) return null;
  return (
    <Part title={requests.length === 1 ? "One machine asks to be a node" : `${requests.length} machines ask to be nodes`}>
      <ul className="space-y-4">
        {requests.map((request) => (
          <li key={request.request_id}>
            <Card request={request} />
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Card({ request }: { request: NodeRequest }) {
  const mayExecute = useHub((view) => view.me?.scopes.includes("execute") ?? false);
  const now = useNow();
  const left = countdown(request.expires_at, now);
  const [commands, choose] = useState<string[]>(mayExecute ? ["*"] : []);
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);
  const name = request.facts.name || request.declaration?.name || request.device_id.slice(0, 12);
  const permit: Permit = { commands };
  const decide = async (decision: Promise<string>) => {
    setBusy(true);
    setTrouble(await decision);
    setBusy(false);
  };
  const approve = () => decide(hub.act("nodes.approve", { request_id: request.request_id, digest: request.digest, permit }));
  const reject = () => decide(hub.act("devices.reject", { request_id: request.request_id }));
  const said = [request.facts.platform, request.facts.version, request.dialect, request.address].filter(Boolean).join(" · ");
  return (
    <article aria-label={`${name} asks to be a node`} className="rounded-xl border border-edge bg-panel p-4 shadow-sm sm:p-5">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <h3 className="text-lg font-semibold break-words">
          <bdi>{name}</bdi>
        </h3>
        <span className="text-sm text-quiet">
          asked {ago(request.created_at, now)} · <span className="tabular-nums whitespace-nowrap">{left ? `waits ${left} more` : "waits no more"}</span>
        </span>
      </div>
      {said && (
        <p className="text-sm break-words text-quiet">
          <bdi>{said}</bdi>
        </p>
      )}
      <p data-testid="fingerprint" className="mt-3 rounded-lg bg-raised px-3 py-2 font-mono text-lg leading-snug break-all select-all">
        {request.fingerprint || "It has no key: whoever holds its token is it."}
      </p>
      {request.fingerprint && <p className="mt-1 text-sm text-quiet">Approve only if the machine shows the same.</p>}
      {mayExecute ? (
        <PermitChoice legend="It may be asked for" name={request.request_id} commands={commands} choose={choose} declared={request.declaration?.commands ?? []} />
      ) : (
        <p className="mt-3 text-sm text-quiet">What it may be asked is for somebody with scope execute to say.</p>
      )}
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
