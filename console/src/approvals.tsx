import { useState } from "react";
import { ApprovalCard } from "./approval-card";
import { hub, useHub } from "./hub";
import { mayApprove } from "./machines";
import { Confirmed, Page, Part, Trouble, useNow } from "./page";
import { Shown } from "./shown";
import { ago } from "./time";
import type { KnownRule } from "./wire";

const LAYERS = { agent: "veto of an agent", file: "file", remembered: "remembered" } as const;

/** What waits for a person, and the rules that decide without one. */
export function Approvals() {
  const { approvals, rules, ruleFile, isLoaded } = useHub((view) => view.machines);
  const isApprover = useHub((view) => mayApprove(view.me?.scopes ?? []));
  const about = "Calls that no rule allows wait here. What runs is exactly what is shown: if anything of it changes, it does not run.";
  if (isLoaded && !isApprover) return <Page title="Approvals" about="Who decides needs scope approve, which you do not have." />;
  return (
    <Page title="Approvals" about={about}>
      <Part title={approvals.length === 1 ? "One call waits" : approvals.length ? `${approvals.length} calls wait` : "Waiting"}>
        <ul className="space-y-4">
          {approvals.map((approval) => (
            <li key={approval.id}>
              <ApprovalCard approval={approval} />
            </li>
          ))}
        </ul>
        {isLoaded && approvals.length === 0 && (
          <p className="text-sm text-quiet">
            Nothing waits. Try one: <code className="code">instar exec -- uname -a</code>
          </p>
        )}
      </Part>
      <Part title="Rules">
        <p className="-mt-1 mb-2 text-sm text-quiet">Asked from top to bottom; the last one that fits decides, and what an agent's own veto denies stays denied.</p>
        {ruleFile.file_fault && (
          <p role="alert" className="mb-3 rounded-lg bg-bad-soft px-3 py-2 text-sm text-bad">
            The file of rules is not obeyed, and everything asks: {ruleFile.file_fault}
          </p>
        )}
        {rules.length > 0 && (
          <ul className="divide-y divide-line rounded-xl border border-line bg-panel">
            {rules.map((rule) => (
              <Row key={rule.id} known={rule} />
            ))}
          </ul>
        )}
        {isLoaded && rules.length === 0 && <p className="text-sm text-quiet">There is no rule: everything asks.</p>}
        {ruleFile.file && <p className="mt-2 text-xs break-all text-quiet">The file: {ruleFile.file}</p>}
      </Part>
    </Page>
  );
}

const ACTIONS = { allow: "text-good", ask: "text-busy", deny: "text-bad" } as const;

function Row({ known }: { known: KnownRule }) {
  const now = useNow();
  const [trouble, setTrouble] = useState("");
  const remove = async () => setTrouble(await hub.act("approvals.remove_rule", { rule_id: known.id }));
  const said = [LAYERS[known.layer], known.agent_id, known.created_by && `by ${known.created_by}`, known.last_used_at && `used ${ago(known.last_used_at, now)}`, known.rule.expires_at && `until ${new Date(known.rule.expires_at).toLocaleString()}`];
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-2.5">
      <div className="min-w-0 grow basis-60">
        <p className="text-sm break-words">
          <span className={`font-semibold ${ACTIONS[known.rule.action]}`}>{known.rule.action}</span> <Shown text={known.text} />
        </p>
        <p className="text-xs text-quiet">{said.filter(Boolean).join(" · ")}</p>
        <Trouble text={trouble} />
      </div>
      {known.layer === "remembered" && <Confirmed label="Remove" question="Forget this rule?" act={() => void remove()} />}
    </li>
  );
}
