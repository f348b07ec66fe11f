import { useRef, useState } from "react";

const COPIED_MS = 1_500;

/** A line to take along into a terminal. */
export function Copyable({ text, label }: { text: string; label: string }) {
  const [said, say] = useState("");
  const line = useRef<HTMLElement>(null);
  const copy = async () => {
    // Browsers lend the clipboard to pages that came encrypted or from this machine; others get the line selected.
    const isCopied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    if (!isCopied && line.current) window.getSelection()?.selectAllChildren(line.current);
    say(isCopied ? "Copied" : "Selected");
    setTimeout(() => say(""), COPIED_MS);
  };
  return (
    <div className="flex items-start gap-2 rounded-lg border border-line bg-page p-1.5 pl-3">
      <code ref={line} className="min-w-0 grow py-1 font-mono text-sm break-all select-all">
        {text}
      </code>
      <button type="button" aria-label={`Copy ${label}`} className="second" onClick={() => void copy()}>
        {said || "Copy"}
      </button>
      <span role="status" className="sr-only">
        {said}
      </span>
    </div>
  );
}
