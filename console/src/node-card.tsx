// One machine: how it is by its own word, and what it may be asked.

import { type FormEvent, useEffect, useState } from "react";
import { hub, troubleOf, useHub } from "./hub";
import { percent, size, span } from "./measures";
import { Meter, Sparkline } from "./meters";
import { PermitChoice } from "./node-requests";
import { Confirmed, Trouble, useNow } from "./page";
import { ShellList } from "./shell-list";
import { openTerminal } from "./terminal-frame";
import { ago } from "./time";
import type { Node, Runtime, Telemetry } from "./wire";

const REPORTS = 120;

export function NodeCard({ node }: { node: Node }) {
  const now = useNow();
  const mayExecute = useHub((view) => view.me?.scopes.includes("execute") ?? false);
  const [isOpen, setOpen] = useState(false);
  const permitted = node.commands ?? [];
  const canRun = permitted.includes("exec") || permitted.includes("shell");
  const state = node.is_connected ? (node.kind === "local" ? "this hub's own machine" : `connected ${ago(node.connected_at, now)}`) : node.kind === "local" ? "started at the first call" : `last seen ${ago(node.last_seen_at, now)}`;
  return (
    <article aria-label={node.name} className="rounded-xl border border-line bg-panel p-4">
      <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          <h3 className="font-semibold break-words">
            <span aria-hidden className={`mr-2 inline-block size-2.5 rounded-full ${node.is_connected ? "bg-good" : "border-2 border-quiet/60"}`} />
            <bdi>{node.name}</bdi>
            {node.is_stale && node.is_connected && node.kind === "node" && <span className="ml-2 rounded bg-busy-soft px-1.5 py-0.5 text-xs font-medium text-busy">stale</span>}
          </h3>
          <p className="text-sm text-quiet">{[node.platform, node.version, node.dialect, state].filter(Boolean).join(" · ")}</p>
          <LabelList labels={node.labels ?? {}} />
        </div>
        <div className="flex flex-wrap gap-2">
          {mayExecute && canRun && (node.is_connected || node.kind === "local") && (
            <button type="button" className="second" onClick={() => openTerminal(node.id, node.name)}>
              Terminal
            </button>
          )}
          <button type="button" className="second" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? "Less" : "More"}
          </button>
        </div>
      </div>
      {node.telemetry && <Health telemetry={node.telemetry} />}
      <p className="mt-3 text-sm break-words">
        <span className="text-quiet">May be asked for: </span>
        {permitted.length ? permitted.join(", ") : "nothing"}
        {Boolean(node.calls_running) && (
          <span className="text-quiet">
            {" "}
            · {node.calls_running}
            {node.calls_max ? ` of ${node.calls_max}` : ""} calls running
          </span>
        )}
      </p>
      <ShellList target={node.id} targetId={node.id} name={node.name} />
      {isOpen && <Details node={node} />}
    </article>
  );
}

function LabelList({ labels }: { labels: Record<string, string> }) {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return null;
  return (
    <ul aria-label="Labels" className="mt-1 flex flex-wrap gap-1">
      {pairs.map(([key, value]) => (
        <li key={key} className="code">
          {key}={value}
        </li>
      ))}
    </ul>
  );
}

function Health({ telemetry }: { telemetry: Telemetry }) {
  const memory = telemetry.memory_total_bytes ?? 0;
  const used = memory - (telemetry.memory_available_bytes ?? 0);
  const cpu = Math.round(telemetry.cpu_percent ?? 0);
  const load = (telemetry.load ?? []).map((each) => each.toFixed(2)).join(" ");
  return (
    <div className="mt-3 grid grid-cols-[repeat(auto-fit,minmax(9rem,1fr))] gap-x-5 gap-y-3">
      <Meter label="CPU" value={Math.min(100, cpu)} detail={[`${telemetry.cpu_count ?? 0} cores`, load && `load ${load}`].filter(Boolean).join(", ")} />
      <Meter label="Memory" value={percent(used, memory)} detail={`${size(used)} of ${size(memory)}`} />
      {(telemetry.disks ?? []).slice(0, 3).map((disk) => (
        <Meter key={disk.mount} label={`Disk ${disk.mount}`} value={percent(disk.total_bytes - disk.available_bytes, disk.total_bytes)} detail={`${size(disk.available_bytes)} of ${size(disk.total_bytes)} free`} />
      ))}
      {telemetry.uptime_s ? <p className="col-span-full text-xs text-quiet">Up for {span(telemetry.uptime_s)}</p> : null}
    </div>
  );
}

function Details({ node }: { node: Node }) {
  const telemetry = node.telemetry;
  const facts: [string, string][] = [
    ["Id", node.id],
    ["Fingerprint", node.fingerprint ?? ""],
    ["Address", node.address ?? ""],
    ["Offers", (node.declared ?? []).join(", ")],
    ["Capabilities", (node.capabilities ?? []).join(", ")],
    ["Permit", permitText(node)],
    ["Works in", node.working_dir ?? ""],
    ["Folders", (node.roots ?? []).join(", ")],
    ["Sandboxes", (node.sandboxes ?? []).join(", ")],
    ["Runtimes", programs(telemetry?.runtimes ?? [])],
    ["Agents", programs(telemetry?.agents ?? [])],
    ["Models", (telemetry?.providers ?? []).map((each) => `${each.name}${each.models?.length ? ` (${each.models.join(", ")})` : ""}`).join("; ")],
  ];
  return (
    <div className="mt-3 border-t border-line pt-3">
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
        {facts
          .filter(([, value]) => value)
          .map(([label, value]) => (
            <div key={label} className="contents">
              <dt className="text-quiet">{label}</dt>
              <dd className={`min-w-0 break-words ${label === "Id" || label === "Fingerprint" ? "font-mono text-xs leading-5 break-all" : ""}`}>
                <bdi>{value}</bdi>
              </dd>
            </div>
          ))}
      </dl>
      <History node={node} />
      <Settings node={node} />
    </div>
  );
}

function permitText(node: Node): string {
  const { commands = [], env = [], agents } = node.permit ?? {};
  if (node.kind === "local" && commands.length === 0) return "";
  const said = [commands.join(", ") || "nothing"];
  if (env.length) said.push(`variables ${env.join(", ")}`);
  if (agents) said.push(agents.length ? `for agents ${agents.join(", ")}` : "for no agent");
  return said.join("; ");
}

function programs(found: readonly Runtime[]): string {
  return found.map((each) => [each.name, each.version].filter(Boolean).join(" ")).join(", ");
}

function History({ node }: { node: Node }) {
  const [reports, setReports] = useState<Telemetry[]>([]);
  const newest = node.telemetry?.taken_at ?? "";
  useEffect(() => {
    let isGone = false;
    hub.ask("nodes.history", { node_id: node.id, limit: REPORTS }).then(
      (history) => isGone || setReports([...history.reports].reverse()),
      () => null,
    );
    return () => {
      isGone = true;
    };
  }, [node.id, newest]);
  if (reports.length < 2) return null;
  return (
    <div className="mt-3 grid gap-4 sm:grid-cols-2">
      <Sparkline label={`CPU, last ${reports.length} reports`} values={reports.map((each) => each.cpu_percent ?? 0)} />
      <Sparkline label="Memory" values={reports.map((each) => percent((each.memory_total_bytes ?? 0) - (each.memory_available_bytes ?? 0), each.memory_total_bytes ?? 0))} />
    </div>
  );
}

/** What it may be asked, its labels, and its end. */
function Settings({ node }: { node: Node }) {
  const scopes = useHub((view) => view.me?.scopes) ?? [];
  const [trouble, setTrouble] = useState("");
  const [commands, choose] = useState<string[]>(node.permit?.commands ?? []);
  const [env, setEnv] = useState((node.permit?.env ?? []).join(", "));
  const mayPermit = scopes.includes("devices") && scopes.includes("execute");
  const isRemote = node.kind === "node";
  const permit = async (event: FormEvent) => {
    event.preventDefault();
    const names = env.split(/[\s,]+/).filter(Boolean);
    setTrouble(await hub.act("nodes.permit", { node_id: node.id, permit: { ...node.permit, commands, env: names } }));
  };
  const revoke = async () => setTrouble(await hub.act("devices.revoke", { device_id: node.id }).catch(troubleOf));
  return (
    <>
      {mayPermit && (
        <form onSubmit={(event) => void permit(event)}>
          <PermitChoice legend="It may be asked for" name={`permit-${node.id}`} commands={commands} choose={choose} />
          <label className="mt-3 block text-sm font-medium">
            Variables that may be forwarded
            <input value={env} onChange={(event) => setEnv(event.target.value)} placeholder="None but TERM, LANG and LC_*" autoCapitalize="none" spellCheck={false} className="field mt-1 block w-full sm:w-80" />
          </label>
          <button type="submit" className="second mt-3">
            Save what it may be asked
          </button>
        </form>
      )}
      {scopes.includes("admin") && <Labels node={node} say={setTrouble} />}
      {isRemote && scopes.includes("devices") && (
        <div className="mt-4">
          <Confirmed label="Revoke" question="End its rights now, and what runs on it?" act={() => void revoke()} />
        </div>
      )}
      <Trouble text={trouble} />
    </>
  );
}

function Labels({ node, say }: { node: Node; say(trouble: string): void }) {
  const [text, setText] = useState(() =>
    Object.entries(node.labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(", "),
  );
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const pairs = text.split(/[\s,]+/).filter(Boolean).map((pair): [string, string] => [pair.split("=")[0] ?? "", pair.slice(pair.indexOf("=") + 1)]);
    const wanted = Object.fromEntries(pairs);
    const hidden = Object.keys(node.labels ?? {}).filter((key) => !(key in wanted)).map((key): [string, string] => [key, ""]);
    say(await hub.act("nodes.label", { node_id: node.id, labels: { ...wanted, ...Object.fromEntries(hidden) } }));
  };
  return (
    <form onSubmit={(event) => void save(event)} className="mt-4">
      <label className="block text-sm font-medium">
        Labels
        <input value={text} onChange={(event) => setText(event.target.value)} placeholder="gpu=yes, site=attic" autoCapitalize="none" spellCheck={false} className="field mt-1 block w-full sm:w-80" />
      </label>
      <button type="submit" className="second mt-2">
        Save labels
      </button>
    </form>
  );
}
