import { memo, type ReactNode, useMemo, useState } from "react";
import { type Inline, blocks, safeAddress } from "./format";
import { hub, useHub } from "./hub";
import { Icon } from "./icons";
import { type Note, type Pending, type Streaming, textOf } from "./timeline";
import type { Message, Part } from "./wire";

const COPIED_MS = 1_500;

export const MessageRow = memo(function MessageRow({ message, isContinued }: { message: Message; isContinued: boolean }) {
  const mentioned = useMemo(() => new Set((message.mentions ?? []).map((fqid) => fqid.slice(fqid.lastIndexOf("/") + 1))), [message.mentions]);
  const { from, redaction } = message;
  return (
    <Frame who={from.name || from.id || ""} isAgent={from.type !== "human"} at={message.created_at} note={message.edited_at && "edited"} isContinued={isContinued}>
      {redaction ? (
        <p className="text-quiet italic">
          Redacted by {redaction.by}
          {redaction.reason && `: ${redaction.reason}`}
        </p>
      ) : (
        message.parts.map((part, index) => <PartView key={index} part={part} mentioned={mentioned} />)
      )}
      {message.reactions && message.reactions.length > 0 && (
        <p className="mt-1 flex flex-wrap gap-1">
          {message.reactions.map((each) => (
            <span key={each.reaction} title={each.by.join(", ")} className="rounded-full border border-line bg-panel px-2 text-sm">
              {each.reaction} {each.by.length}
            </span>
          ))}
        </p>
      )}
    </Frame>
  );
});

const STATES = { sending: "sending…", waiting: "waits for the hub", failed: "not sent" } as const;

export function PendingRow({ pending, room, isContinued }: { pending: Pending; room: string; isContinued: boolean }) {
  const { message, state, error } = pending;
  return (
    <Frame who={message.from.name || message.from.id || ""} isAgent={false} note={isContinued ? undefined : STATES[state]} isContinued={isContinued}>
      <div className="opacity-70">
        <Prose text={textOf(message)} />
      </div>
      {isContinued && state !== "sending" && <p className="text-xs text-quiet">{STATES[state]}</p>}
      {state === "failed" && (
        <p role="alert" className="mt-1 text-sm text-bad">
          {error}{" "}
          <button type="button" className="font-medium underline" onClick={() => hub.retry(room, message)}>
            Send again
          </button>{" "}
          <button type="button" className="font-medium underline" onClick={() => hub.discard(room, message)}>
            Discard
          </button>
        </p>
      )}
    </Frame>
  );
}

export function StreamingRow({ streaming }: { streaming: Streaming }) {
  const name = useAgentName(streaming.agentId);
  return (
    <Frame who={name} isAgent note={streaming.text ? "writing…" : "thinking…"}>
      <div aria-busy>
        <Prose text={streaming.text} />
      </div>
      {streaming.hasHole && <p className="text-sm text-quiet">Some of it was missed; the whole text follows when it is done.</p>}
      <button
        type="button"
        className="mt-1.5 flex items-center gap-1 rounded-md border border-edge bg-panel px-2 py-0.5 text-sm text-ink hover:bg-raised"
        onClick={() => {
          void hub.cancelRun(streaming.runId);
          // The button goes away with the answer; the focus must not fall off the page with it.
          document.getElementById("composer")?.focus();
        }}
      >
        <Icon name="stop" className="size-3.5" /> Stop
      </button>
    </Frame>
  );
}

/** A run that ended without an answer, or a loop that was stopped. */
export function NoteRow({ note }: { note: Note }) {
  const name = useAgentName(note.agentId);
  const colon = /^[a-z_]+(?=: )/.exec(note.reason)?.[0] ?? "";
  const reason = colon ? note.reason.slice(colon.length + 2) : note.reason;
  if (note.kind === "loop")
    return (
      <Line tone="text-busy bg-busy-soft">
        <b className="font-semibold">Loop stopped.</b> {name}: {note.reason}. A person's message lets them go on.
      </Line>
    );
  return (
    <Frame who={name} isAgent at={new Date(note.at).toISOString()}>
      {note.partial && (
        <div className="opacity-70">
          <Prose text={note.partial} />
        </div>
      )}
      {note.kind === "failed" ? (
        <p className="mt-1 flex w-fit max-w-full items-start gap-1.5 rounded-lg bg-bad-soft px-2.5 py-1 text-sm text-bad">
          <Icon name="failed" className="mt-0.5 size-4" />
          <span className="min-w-0 break-words">
            <b className="font-semibold">Failed:</b> {reason}
            {colon && <span className="ml-2 font-mono text-xs">{colon}</span>}
          </span>
        </p>
      ) : (
        <p className="mt-1 flex w-fit items-center gap-1.5 rounded-lg bg-raised px-2.5 py-1 text-sm text-quiet">
          <Icon name="stop" className="size-3.5" /> Stopped{reason && `: ${reason}`}
        </p>
      )}
    </Frame>
  );
}

function useAgentName(id: string): string {
  return useHub((view) => view.agents.find((agent) => agent.id === id)?.name || id);
}

function Line({ tone, children }: { tone: string; children: ReactNode }) {
  return <p className={`mx-5 my-2 rounded-lg px-3 py-1.5 text-sm ${tone}`}>{children}</p>;
}

interface FrameProps {
  who: string;
  isAgent: boolean;
  at?: string;
  note?: string | undefined;
  isContinued?: boolean;
  children: ReactNode;
}

function Frame({ who, isAgent, at, note, isContinued = false, children }: FrameProps) {
  const time = at ? new Date(at) : null;
  const clock = time?.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return (
    <article className={`group flex gap-3 px-5 hover:bg-raised/50 ${isContinued ? "py-0.5" : "pt-2.5 pb-0.5"}`}>
      {isContinued ? (
        <time dateTime={at} aria-hidden className="w-9 shrink-0 pt-1 text-right text-[0.65rem] text-quiet tabular-nums opacity-0 group-hover:opacity-100">
          {clock}
        </time>
      ) : (
        <span
          aria-hidden
          className={`mt-0.5 flex size-9 shrink-0 items-center justify-center text-sm font-semibold ${isAgent ? "rounded-lg bg-mark text-accent" : "rounded-full bg-raised text-quiet"}`}
        >
          {initials(who)}
        </span>
      )}
      <div className="min-w-0 grow">
        <p className={isContinued ? "sr-only" : "flex items-baseline gap-2 leading-5"}>
          <span className="truncate font-semibold">{who}</span>
          {isAgent && <span className="rounded bg-raised px-1 text-[0.7rem] text-quiet">agent</span>}
          {time && (
            <time dateTime={at} title={time.toLocaleString()} className="text-xs whitespace-nowrap text-quiet">
              {clock}
            </time>
          )}
          {note && <span className="text-xs whitespace-nowrap text-quiet">{note}</span>}
        </p>
        {children}
        {isContinued && note === "edited" && <span className="text-xs text-quiet">edited</span>}
      </div>
    </article>
  );
}

function initials(who: string): string {
  const words = who.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [...(words[0] ?? "")][0]! + [...(words[1] ?? "")][0]! : [...who].slice(0, 2).join("");
  return letters.toUpperCase();
}

function PartView({ part, mentioned }: { part: Part; mentioned: ReadonlySet<string> }) {
  if (part.kind === "text") return <Prose text={part.text ?? ""} mentioned={mentioned} />;
  if (part.kind === "data") return <Code text={JSON.stringify(part.data, null, 2)} language="json" />;
  const address = part.blob ? `/v1/blobs/${part.blob}` : safeAddress(part.url);
  if (part.kind === "image" && part.blob) return <img src={address} alt={part.filename || "image"} className="mt-1 max-h-80 max-w-full rounded-lg border border-line" />;
  const label = part.filename || part.text || part.url || part.blob || part.kind;
  return <p className="break-words">{address ? <Anchor address={address}>{label}</Anchor> : <span className="text-quiet">{label}</span>}</p>;
}

const NOBODY: ReadonlySet<string> = new Set();

function Prose({ text, mentioned = NOBODY }: { text: string; mentioned?: ReadonlySet<string> }) {
  const found = useMemo(() => blocks(text, mentioned), [text, mentioned]);
  return (
    <div>
      {found.map((block, index) =>
        block.kind === "code" ? (
          <Code key={index} text={block.text} language={block.language} />
        ) : (
          <p key={index} className="max-w-[85ch] wrap-anywhere whitespace-pre-wrap not-first:mt-2">
            {block.pieces.map((piece, at) => (
              <Piece key={at} piece={piece} />
            ))}
          </p>
        ),
      )}
    </div>
  );
}

function Piece({ piece }: { piece: Inline }) {
  switch (piece.kind) {
    case "code":
      return <code className="code">{piece.text}</code>;
    case "strong":
      return <strong className="font-semibold">{piece.text}</strong>;
    case "link":
      return <Anchor address={piece.address}>{piece.text}</Anchor>;
    case "mention":
      return <span className="rounded bg-mark px-1 font-medium text-accent">@{piece.text}</span>;
    case "text":
      return piece.text;
  }
}

function Anchor({ address, children }: { address: string; children: ReactNode }) {
  return (
    <a href={address} rel="noreferrer noopener" target="_blank" className="text-accent underline underline-offset-2">
      {children}
    </a>
  );
}

function Code({ text, language }: { text: string; language: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return (
    <div className="group/code relative my-1.5 max-w-[85ch]">
      <pre tabIndex={0} role="group" aria-label={language ? `Code, ${language}` : "Code"} className="overflow-x-auto rounded-lg border border-line bg-raised px-3 py-2 font-mono text-[0.85em]">
        {text}
      </pre>
      <button
        type="button"
        onClick={() => void copy()}
        className="absolute top-1.5 right-1.5 rounded-md border border-line bg-panel px-2 py-0.5 text-xs text-quiet opacity-0 group-hover/code:opacity-100 hover:text-ink focus-visible:opacity-100"
      >
        {isCopied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
