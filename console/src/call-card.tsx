// A call in its conversation: what was asked for, what it writes, how it ended.

import { memo, useEffect, useRef, useState } from "react";
import { ApprovalCard } from "./approval-card";
import { type CallCard, isEnded, lacksTail, outcome, plainOutput } from "./calls";
import { hub, troubleOf, useHub } from "./hub";
import { Icon } from "./icons";
import { size } from "./measures";
import { Said } from "./page";
import { Shown } from "./shown";
import { outputPath, readOutput, Unreadable } from "./stored";
import { quoted } from "./visible";
import type { Call } from "./wire";

const PAGE_BYTES = 262_144;
const TAIL_LINES = 12;

export const CallRow = memo(function CallRow({ card }: { card: CallCard }) {
  const { call } = card;
  const me = useHub((view) => view.me?.principal.id);
  const who = useHub((view) => view.agents.find((agent) => agent.id === call.agent_id)?.name || call.agent_id || (call.requester === me ? view.me?.principal.name || "You" : call.requester));
  const approval = useHub((view) => (call.state === "awaiting_approval" ? view.machines.approvals.find((each) => each.call_id === call.id) : undefined));
  const [isFull, setFull] = useState(false);
  const [trouble, setTrouble] = useState("");
  const cancel = () => hub.ask("calls.cancel", { call_id: call.id, reason: "asked for in the console" }).catch((error: unknown) => setTrouble(troubleOf(error)));
  const tail = tailOf(card);
  const isBlank = lacksTail(card);
  useEffect(() => {
    if (isBlank) hub.readTail(call);
  }, [call.id, isBlank]);
  const total = (call.streams ?? []).reduce((sum, stream) => sum + stream.size_bytes, 0);
  return (
    <article aria-label={`Call by ${who}`} className="mx-5 my-2 max-w-[90ch] rounded-xl border border-line bg-panel max-sm:mx-3">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1 border-b border-line px-3 py-1.5 text-sm">
        <Dot call={call} />
        <span className="min-w-0 truncate">
          <bdi className="font-medium">{who}</bdi> <span className="text-quiet">{call.has_run ? "ran" : isEnded(call) ? "asked for" : "asks for"} {call.tool} on</span> <bdi className="font-medium">{call.target_name || "…"}</bdi>
        </span>
        <span className="grow" />
        <span role="status" className={`min-w-0 break-words ${call.state === "failed" || call.state === "lost" || call.exit_status ? "text-bad" : "text-quiet"}`}>
          {outcome(call)}
        </span>
        {!isEnded(call) && (
          <button type="button" className="quiet-button gap-1" onClick={() => void cancel()}>
            <Icon name="stop" className="size-3.5" /> Cancel
          </button>
        )}
      </div>
      {!approval && (
        <pre tabIndex={0} role="group" aria-label="What runs" className="overflow-x-auto px-3 py-1.5 font-mono text-[0.85em] whitespace-pre-wrap break-all">
          <Shown text={asked(call)} />
        </pre>
      )}
      {approval ? (
        <ApprovalCard approval={approval} isBare />
      ) : (
        tail && (
          <pre tabIndex={0} role="group" aria-label="Output" className="max-h-60 overflow-auto border-t last:rounded-b-xl border-line bg-raised px-3 py-1.5 font-mono text-[0.8em] whitespace-pre-wrap break-all">
            {tail}
          </pre>
        )
      )}
      {call.error?.hint && <p className="border-t border-line px-3 py-1.5 text-sm text-quiet"><Said text={call.error.hint} /></p>}
      {card.stored === "gone" && <p className="border-t border-line px-3 py-1.5 text-sm text-quiet">What it wrote is no longer kept.</p>}
      {card.stored !== "gone" && (total > 0 || (tail && isEnded(call))) && (
        <div className="flex flex-wrap items-center gap-2 border-t border-line px-3 py-1 text-sm">
          <button type="button" aria-expanded={isFull} className="quiet-button" onClick={() => setFull(!isFull)}>
            {isFull ? "Hide the whole output" : `Whole output${total ? ` (${size(total)})` : ""}`}
          </button>
        </div>
      )}
      {isFull && <Output call={call} />}
      {trouble && (
        <p role="alert" className="px-3 pb-2 text-sm text-bad">
          {trouble}
        </p>
      )}
    </article>
  );
});

function Dot({ call }: { call: Call }) {
  const colour = isEnded(call) ? (call.state === "done" && !call.exit_status && !call.signal ? "bg-good" : "bg-bad") : "bg-busy animate-pulse";
  return <span aria-hidden className={`size-2 shrink-0 rounded-full ${colour}`} />;
}

function asked(call: Call): string {
  const args = call.args ?? {};
  if (call.tool === "exec") return quoted((args["argv"] as string[] | undefined) ?? []);
  if (call.tool === "shell") return String(args["command"] ?? "");
  return Object.entries(args)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");
}

function tailOf({ call, tail }: CallCard): string {
  const written = isEnded(call) && (call.stdout || call.stderr) ? [call.stdout, call.stderr].filter(Boolean).join("\n") : tail;
  const shown = call.result !== undefined && call.result !== null && !written ? JSON.stringify(call.result, null, 2) : plainOutput(written);
  return shown.trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
}

/** All that the hub stored, a page at a time. */
function Output({ call }: { call: Call }) {
  const channels = (call.streams ?? []).filter((stream) => stream.size_bytes > 0);
  const shown = channels.length ? channels.map((stream) => stream.channel) : [1];
  return (
    <div className="border-t border-line p-3">
      {shown.map((channel) => (
        <Channel key={channel} call={call} channel={channel} />
      ))}
    </div>
  );
}

function Channel({ call, channel }: { call: Call; channel: number }) {
  const [text, setText] = useState("");
  const [next, setNext] = useState(0);
  const [total, setTotal] = useState(0);
  const [trouble, setTrouble] = useState("");
  // A character may lie across two pages.
  const decoder = useRef(new TextDecoder());
  const more = async () => {
    try {
      const range = await readOutput(call.id, channel, next, PAGE_BYTES);
      setTrouble("");
      setText((now) => now + decoder.current.decode(range.content, { stream: true }));
      setNext(range.offset + range.content.length);
      setTotal(range.total);
    } catch (error) {
      setTrouble(error instanceof Unreadable ? error.message : String(error));
    }
  };
  useEffect(() => void more(), []);
  return (
    <section aria-label={channel === 2 ? "Standard error" : "Standard output"} className="not-first:mt-3">
      <p className="flex flex-wrap items-center gap-2 text-xs text-quiet">
        <span className="grow">{channel === 2 ? "standard error" : "standard output"}</span>
        <a href={outputPath(call.id, channel)} download={`${call.id}.${channel === 2 ? "stderr" : "stdout"}`} className="text-accent underline underline-offset-2">
          Download
        </a>
      </p>
      <pre tabIndex={0} role="group" aria-label="Stored output" className="mt-1 max-h-[60vh] overflow-auto rounded-lg border border-line bg-raised px-3 py-2 font-mono text-[0.8em] whitespace-pre-wrap break-all">
        {plainOutput(text)}
      </pre>
      {next < total && (
        <button type="button" className="second mt-2" onClick={() => void more()}>
          More ({size(total - next)} left)
        </button>
      )}
      {trouble && (
        <p role="alert" className="mt-1 text-sm text-bad">
          {trouble}
        </p>
      )}
    </section>
  );
}
