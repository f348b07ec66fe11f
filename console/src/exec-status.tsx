// Where calls go by default, and what is wrong with it.

import { useState } from "react";
import { hub, troubleOf, useHub } from "./hub";
import { Part, Said, Trouble } from "./page";
import type { CheckLevel, ExecStatus, SshTarget } from "./wire";

const LEVELS: Record<CheckLevel, { sign: string; said: string; colour: string }> = {
  ok: { sign: "✓", said: "fine", colour: "text-good" },
  warn: { sign: "!", said: "warning", colour: "text-busy" },
  error: { sign: "✕", said: "fault", colour: "text-bad" },
};
const ORDER: CheckLevel[] = ["error", "warn", "ok"];

/** The Remote Exec Status panel. */
export function RemoteExecStatus({ status }: { status: ExecStatus }) {
  const targets = useHub((view) => view.machines.targets);
  const active = status.backend === "ssh" ? targets.find((target) => target.id === status.target_id || target.is_default) : undefined;
  const checks = [...(status.checks ?? [])].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
  return (
    <Part title="Remote Exec Status">
      <div className="rounded-xl border border-line bg-panel p-4">
        <dl className="grid grid-cols-2 gap-3 sm:grid-cols-4">
          <Tile label="Calls go to" value={status.target_name || (status.backend === "none" ? "nowhere" : status.backend)} detail={status.target_name ? status.backend : ""} />
          <Tile label="Nodes" value={`${status.nodes_connected ?? 0} of ${status.nodes_paired ?? 0}`} detail="connected" />
          <Tile label="SSH targets" value={String(status.ssh_targets ?? 0)} detail={`${status.ssh_pinned ?? 0} pinned`} />
          <Tile label="SSH keys" value={String(status.ssh_keys ?? 0)} detail={status.ssh_keys_unreadable ? `${status.ssh_keys_unreadable} unreadable` : status.ssh_client || "no ssh program"} />
        </dl>
        {checks.length > 0 && (
          <ul className="mt-4 space-y-2 border-t border-line pt-3">
            {checks.map((check) => (
              <li key={check.id + (check.subject ?? "")} className="flex gap-2.5 text-sm">
                <span aria-hidden className={`w-4 shrink-0 text-center font-bold ${LEVELS[check.level].colour}`}>
                  {LEVELS[check.level].sign}
                </span>
                <span className="min-w-0 break-words">
                  <span className="sr-only">{LEVELS[check.level].said}: </span>
                  <span className="font-medium">{check.title}</span> <span className="text-quiet"><Said text={check.message} /></span>
                  {check.hint && check.level !== "ok" && <span className="block"><Said text={check.hint} /></span>}
                </span>
              </li>
            ))}
          </ul>
        )}
        {active && <ActiveRoute target={active} />}
      </div>
    </Part>
  );
}

function Tile({ label, value, detail }: { label: string; value: string; detail: string }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-quiet">{label}</dt>
      <dd className="truncate font-semibold" title={value}>
        {value}
      </dd>
      <dd className="truncate text-xs text-quiet" title={detail}>
        {detail}
      </dd>
    </div>
  );
}

/** Test the SSH route that calls use, and pin its host key, without leaving the page. */
function ActiveRoute({ target }: { target: SshTarget }) {
  return (
    <div className="mt-4 border-t border-line pt-3">
      <p className="text-sm font-medium">
        Active SSH route: <bdi>{target.label}</bdi>
      </p>
      <TestAndPin target={target} />
    </div>
  );
}

export function TestAndPin({ target }: { target: SshTarget }) {
  const [said, setSaid] = useState("");
  const [trouble, setTrouble] = useState("");
  const [shown, setShown] = useState<{ fingerprint: string; kind: string }[] | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isPinned = (target.host_fingerprints ?? []).length > 0;
  const during = async (act: () => Promise<void>) => {
    setBusy(true);
    setTrouble("");
    setSaid("");
    await act().catch((error: unknown) => setTrouble(troubleOf(error)));
    setBusy(false);
  };
  const test = () =>
    during(async () => {
      const found = await hub.ask("ssh.test", { ssh_target_id: target.id });
      if (found.ok) setSaid(`It answered in ${(found.duration_s ?? 0).toFixed(1)} s.`);
      else setTrouble(`${found.message || found.failure_code || "It could not be reached"}. ${found.hint ?? ""}`);
    });
  const scan = () =>
    during(async () => {
      const host = await hub.ask("ssh.scan", { address: target.address, port: target.port ?? null });
      setShown(host.keys);
    });
  const pin = (fingerprint: string) =>
    during(async () => {
      setTrouble(await hub.act("ssh.pin", { ssh_target_id: target.id, fingerprint }));
      setShown(null);
    });
  const unpin = () => during(async () => setTrouble(await hub.act("ssh.unpin", { ssh_target_id: target.id })));
  return (
    <>
      <div className="mt-2 flex flex-wrap gap-2">
        <button type="button" className="second" disabled={isBusy} onClick={() => void test()}>
          Test
        </button>
        <button type="button" className="second" disabled={isBusy} onClick={() => void scan()}>
          {isPinned ? "Refresh pin" : "Scan and pin"}
        </button>
        {isPinned && (
          <button type="button" className="second" disabled={isBusy} onClick={() => void unpin()}>
            Clear pin
          </button>
        )}
      </div>
      {said && (
        <p role="status" className="mt-2 text-sm text-good">
          {said}
        </p>
      )}
      {shown && (
        <div role="group" aria-label="Keys that the host shows" className="mt-3 rounded-lg border border-edge p-3">
          <p className="text-sm">
            The host shows {shown.length === 1 ? "this key" : "these keys"} now. The network may lie: compare with what <code className="code">ssh-keygen -lf</code> says on the machine itself.
          </p>
          <ul className="mt-2 space-y-2">
            {shown.map((key) => (
              <li key={key.fingerprint} className="flex flex-wrap items-center gap-2">
                <span className="min-w-0 grow font-mono text-sm break-all">
                  {key.fingerprint} <span className="text-quiet">{key.kind}</span>
                </span>
                <button type="button" className="second" disabled={isBusy} onClick={() => void pin(key.fingerprint)}>
                  It is the same: pin it
                </button>
              </li>
            ))}
          </ul>
          <button type="button" className="second mt-2" onClick={() => setShown(null)}>
            Pin nothing
          </button>
        </div>
      )}
      <Trouble text={trouble} />
    </>
  );
}
