import { useState } from "react";

const COPIED_MS = 1_500;

/** A line to take along into a terminal. */
export function Copyable({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return (
    <div className="flex items-start gap-2 rounded-lg border border-line bg-page p-1.5 pl-3">
      <code className="min-w-0 grow py-1 font-mono text-sm break-all select-all">{text}</code>
      <button type="button" aria-label={`Copy ${label}`} className="second" onClick={() => void copy()}>
        {isCopied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
