import { Fragment, type ReactNode } from "react";
import { hub } from "./hub";
import { type Pending, type Streaming, textOf } from "./timeline";
import type { Message, Part } from "./wire";

export function MessageRow({ message }: { message: Message }) {
  const mentioned = new Set((message.mentions ?? []).map((fqid) => fqid.slice(fqid.lastIndexOf("/") + 1)));
  return (
    <Frame who={message.from.name || message.from.id || ""} isAgent={message.from.type !== "human"} at={message.created_at} note={message.edited_at && "edited"}>
      {message.redaction ? (
        <p className="text-quiet italic">Redacted by {message.redaction.by}{message.redaction.reason && `: ${message.redaction.reason}`}</p>
      ) : (
        message.parts.map((part, index) => <PartView key={index} part={part} mentioned={mentioned} />)
      )}
      {message.reactions && message.reactions.length > 0 && (
        <p className="mt-1 flex flex-wrap gap-1">
          {message.reactions.map((each) => (
            <span key={each.reaction} title={each.by.join(", ")} className="rounded-full border border-line bg-raised px-2 text-sm">
              {each.reaction} {each.by.length}
            </span>
          ))}
        </p>
      )}
    </Frame>
  );
}

export function PendingRow({ pending, room }: { pending: Pending; room: string }) {
  return (
    <Frame who={pending.message.from.name || pending.message.from.id || ""} isAgent={false} note={pending.state === "sending" ? "sending…" : "not sent"}>
      <p className="break-words whitespace-pre-wrap opacity-70">{textOf(pending.message)}</p>
      {pending.state === "failed" && (
        <p role="alert" className="mt-1 text-sm text-bad">
          {pending.error}.{" "}
          <button type="button" className="underline" onClick={() => hub.retry(room, pending.message)}>
            Send again
          </button>
        </p>
      )}
    </Frame>
  );
}

export function StreamingRow({ streaming }: { streaming: Streaming }) {
  return (
    <Frame who={streaming.agentId} isAgent note="writing…">
      <p className="break-words whitespace-pre-wrap">
        {streaming.text}
        <span className="ml-0.5 inline-block h-4 w-2 animate-pulse bg-accent align-middle" aria-hidden />
      </p>
      {streaming.hasHole && <p className="text-sm text-quiet">Some of it was missed; the whole text follows when it is done.</p>}
      <button type="button" className="mt-1 rounded-md border border-line px-2 py-0.5 text-sm text-quiet hover:bg-raised" onClick={() => void hub.cancelRun(streaming.runId)}>
        Stop
      </button>
    </Frame>
  );
}

function Frame({ who, isAgent, at, note, children }: { who: string; isAgent: boolean; at?: string; note?: string | undefined; children: ReactNode }) {
  return (
    <article className="flex gap-3 py-1.5">
      <span
        aria-hidden
        className={`mt-0.5 flex size-8 shrink-0 items-center justify-center text-sm font-semibold uppercase ${isAgent ? "rounded-lg bg-mark text-accent" : "rounded-full bg-raised"}`}
      >
        {who.slice(0, 2)}
      </span>
      <div className="min-w-0 grow">
        <p className="flex items-baseline gap-2">
          <span className="font-semibold">{who}</span>
          {isAgent && <span className="rounded border border-line px-1 text-xs text-quiet">agent</span>}
          {at && (
            <time dateTime={at} title={new Date(at).toLocaleString()} className="text-xs text-quiet">
              {new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
            </time>
          )}
          {note && <span className="text-xs text-quiet">{note}</span>}
        </p>
        {children}
      </div>
    </article>
  );
}

function PartView({ part, mentioned }: { part: Part; mentioned: Set<string> }) {
  if (part.kind === "text") return <p className="break-words whitespace-pre-wrap">{withMentions(part.text ?? "", mentioned)}</p>;
  if (part.kind === "data") return <pre className="mt-1 overflow-x-auto rounded-lg bg-raised p-2 font-mono text-sm">{JSON.stringify(part.data, null, 2)}</pre>;
  const address = part.blob ? `/v1/blobs/${part.blob}` : safeAddress(part.url);
  if (part.kind === "image" && part.blob) return <img src={address} alt={part.filename || "image"} className="mt-1 max-h-80 rounded-lg border border-line" />;
  const label = part.filename || part.text || part.url || part.blob || part.kind;
  return address ? (
    <a href={address} rel="noreferrer noopener" target="_blank" className="text-accent underline">
      {label}
    </a>
  ) : (
    <span className="text-quiet">{label}</span>
  );
}

/** Only http and https become links; anything else an agent sends is shown as text. */
function safeAddress(url: string | undefined): string {
  return url && /^https?:\/\//i.test(url) ? url : "";
}

function withMentions(text: string, mentioned: Set<string>): ReactNode {
  if (!mentioned.size) return text;
  return text.split(/(@[A-Za-z0-9][A-Za-z0-9._-]*)/).map((piece, index) => {
    const name = piece.slice(1).replace(/[._-]+$/, "");
    return piece.startsWith("@") && mentioned.has(name) ? (
      <Fragment key={index}>
        <span className="rounded bg-mark px-0.5 font-medium text-accent">@{name}</span>
        {piece.slice(name.length + 1)}
      </Fragment>
    ) : (
      piece
    );
  });
}
