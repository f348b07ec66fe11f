// One call that waits: all of what would run, and the decision.

import { type FormEvent, useState } from "react";
import { changes } from "./changes";
import { hub, useHub } from "./hub";
import { size } from "./measures";
import { Trouble, useNow } from "./page";
import { Shown } from "./shown";
import { ago, countdown } from "./time";
import { quoted } from "./visible";
import type { Approval } from "./wire";

/** What would run, as it was asked for: never shortened. */
export function commandOf(approval: Approval): string {
  const args = approval.plan.args as Record<string, unknown> | undefined;
  if (approval.tool === "exec") return quoted((args?.["argv"] as string[] | undefined) ?? approval.plan.argv ?? []);
  if (approval.tool === "shell") return String(args?.["command"] ?? approval.command);
  return approval.command;
}

/** Bare, it stands within the card of its call. */
export function ApprovalCard({ approval, isBare = false }: { approval: Approval; isBare?: boolean }) {
  const now = useNow();
  const left = countdown(approval.expires_at, now);
  const agents = useHub((view) => view.agents);
  const who = agents.find((agent) => agent.id === approval.agent_id)?.name || approval.agent_id || approval.requester_name || approval.requester;
  return (
    <article aria-label={`${who} asks to run on ${approval.target_name}`} className={isBare ? "px-3 pt-2 pb-3" : `rounded-xl border bg-panel p-4 shadow-sm ${approval.is_dangerous ? "border-bad" : "border-edge"}`}>
      <div className="flex flex-wrap items-baseline gap-x-2 gap-y-1">
        {!isBare && (
          <h3 className="font-semibold break-words">
            <bdi>{who}</bdi> <span className="font-normal text-quiet">on</span> <bdi>{approval.target_name}</bdi>
          </h3>
        )}
        {approval.is_dangerous && <span className="rounded bg-bad-soft px-1.5 py-0.5 text-xs font-semibold text-bad">dangerous</span>}
        <span className="text-sm text-quiet">
          {approval.tool} · asked {ago(approval.created_at, now)} · <span className="whitespace-nowrap tabular-nums">{left ? `expires in ${left}` : "expired"}</span>
        </span>
      </div>
      <pre tabIndex={0} role="group" aria-label="What would run" data-testid="command" className="mt-2 max-h-[50vh] overflow-auto rounded-lg border border-line bg-raised px-3 py-2 font-mono text-sm break-all whitespace-pre-wrap">
        <Shown text={commandOf(approval)} />
      </pre>
      <Change approval={approval} />
      <Facts approval={approval} />
      <Decision approval={approval} />
    </article>
  );
}

function Change({ approval }: { approval: Approval }) {
  const found = changes(approval.tool, (approval.plan.args ?? {}) as Record<string, unknown>);
  if (found.length === 0) return null;
  const tones = { old: "bg-bad-soft text-bad", new: "bg-mark text-ink", same: "text-quiet" };
  const signs = { old: "−", new: "+", same: " " };
  return (
    <pre tabIndex={0} role="group" aria-label="What would change" className="mt-2 max-h-[40vh] overflow-auto rounded-lg border border-line py-1 font-mono text-xs">
      {found.map((line, at) => (
        <div key={at} className={`min-w-fit px-2 whitespace-pre-wrap break-all ${tones[line.kind]}`}>
          {signs[line.kind]} <Shown text={line.text} />
        </div>
      ))}
    </pre>
  );
}

function Facts({ approval }: { approval: Approval }) {
  const { plan } = approval;
  const env = Object.entries(plan.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const facts: [string, string[]][] = [
    ["Works in", plan.cwd ? [plan.cwd] : []],
    ["Variables", env],
    ["Sandbox", plan.sandbox && plan.sandbox !== "none" ? [plan.sandbox] : []],
    ["Room", approval.room ? [approval.room] : []],
    ["Asks because", (approval.judged ?? []).filter((each) => each.action !== "allow").map(why)],
    ["It says", approval.reason ? [approval.reason] : []],
    ["Not bound", approval.unbound ?? []],
  ];
  return (
    <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
      {facts
        .filter(([, values]) => values.length > 0)
        .map(([label, values]) => (
          <div key={label} className="contents">
            <dt className={label === "Not bound" ? "text-busy" : "text-quiet"}>{label}</dt>
            <dd className="min-w-0 break-words">
              {values.map((value, at) => (
                <p key={at} className={label === "It says" ? "text-quiet italic" : ""}>
                  <Shown text={value} />
                </p>
              ))}
            </dd>
          </div>
        ))}
      {(approval.files ?? []).length > 0 && (
        <>
          <dt className="text-quiet">Files</dt>
          <dd className="min-w-0">
            {approval.files?.map((file) => (
              <p key={file.path + (file.role ?? "")} className="wrap-anywhere">
                <Shown text={file.path} /> <span className="text-quiet">{[file.role, size(file.size_bytes)].filter(Boolean).join(", ")}</span>{" "}
                <code className="font-mono text-xs text-quiet" title={file.sha256}>
                  {file.sha256.slice(0, 16)}…
                </code>
              </p>
            ))}
          </dd>
        </>
      )}
    </dl>
  );
}

const LAYERS: Record<string, string> = { agent: "the agent's veto", file: "permissions.jsonc", remembered: "a remembered rule" };

function why({ value, action, floor, unclear, rule_id, layer }: NonNullable<Approval["judged"]>[number]): string {
  if (floor) return `${value}: ${floor}`;
  if (unclear) return `${value}: ${unclear}`;
  return `${value}: ${rule_id ? `${LAYERS[layer ?? ""] ?? layer} says ${action}` : "no rule covers it"}`;
}

type Step = "choose" | "always" | "deny";

function Decision({ approval }: { approval: Approval }) {
  const [step, setStep] = useState<Step>("choose");
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [feedback, setFeedback] = useState("");
  const texts = approval.rule_texts ?? [];
  const decide = async (decision: Promise<string>) => {
    setBusy(true);
    setTrouble(await decision);
    setBusy(false);
  };
  const shown = { approval_id: approval.id, digest: approval.digest };
  const approve = (always: boolean) => void decide(hub.act("approvals.approve", always ? { ...shown, always } : shown));
  const deny = (event: FormEvent) => {
    event.preventDefault();
    void decide(hub.act("approvals.deny", { ...shown, feedback: feedback.trim() }));
  };
  return (
    <>
      {step === "choose" && (
        <div className="mt-4 flex flex-wrap gap-2 max-sm:[&>button]:grow max-sm:[&>button]:justify-center">
          <button type="button" className="primary" disabled={isBusy} onClick={() => approve(false)}>
            Approve once
          </button>
          {texts.length > 0 && (
            <button type="button" className="second" disabled={isBusy} onClick={() => setStep("always")}>
              Always…
            </button>
          )}
          <button type="button" className="second" disabled={isBusy} onClick={() => setStep("deny")}>
            Deny…
          </button>
        </div>
      )}
      {step === "always" && (
        <div role="group" aria-label="Remember" className="mt-4 rounded-lg border border-edge p-3">
          <p className="text-sm font-medium">{texts.length === 1 ? "From now on this rule holds:" : "From now on these rules hold:"}</p>
          <ul className="mt-1 list-disc space-y-1 pl-5 text-sm">
            {texts.map((text) => (
              <li key={text} className="break-words">
                <Shown text={text} />
              </li>
            ))}
          </ul>
          <div className="mt-3 flex flex-wrap gap-2">
            <button type="button" autoFocus className="primary" disabled={isBusy} onClick={() => approve(true)}>
              Approve and remember
            </button>
            <button type="button" className="second" disabled={isBusy} onClick={() => setStep("choose")}>
              Back
            </button>
          </div>
        </div>
      )}
      {step === "deny" && (
        <form aria-label="Deny" onSubmit={deny} className="mt-4">
          <label className="block text-sm font-medium">
            Why, for whoever asked
            <input autoFocus value={feedback} onChange={(event) => setFeedback(event.target.value)} maxLength={2_000} placeholder="May stay empty" className="field mt-1 block w-full" />
          </label>
          <div className="mt-3 flex flex-wrap gap-2">
            <button type="submit" className="primary" disabled={isBusy}>
              Deny
            </button>
            <button type="button" className="second" disabled={isBusy} onClick={() => setStep("choose")}>
              Back
            </button>
          </div>
        </form>
      )}
      <Trouble text={trouble} />
    </>
  );
}
