import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { hub, split, useHub } from "./hub";

const SUGGESTIONS_MAX = 6;

/** The half-typed mention that ends at the caret: its name so far, or null. */
export function mentionAt(text: string, caret: number): string | null {
  const match = /(?:^|[^A-Za-z0-9._-])@([A-Za-z0-9._-]*)$/.exec(text.slice(0, caret));
  return match ? (match[1] ?? "") : null;
}

export function Composer({ room }: { room: string }) {
  const [text, setText] = useState("");
  const [mention, setMention] = useState<string | null>(null);
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLTextAreaElement>(null);
  const agents = useHub((view) => view.agents);
  const [kind, id] = split(room);
  const details = useHub((view) => view.rooms.find((each) => each.id === id));
  const canWrite = kind === "dm" || details?.access?.can_write !== false;
  const suggestions = useMemo(
    () => (mention === null ? [] : agents.filter((agent) => agent.id.toLowerCase().startsWith(mention.toLowerCase())).slice(0, SUGGESTIONS_MAX)),
    [agents, mention],
  );

  const edited = (value: string, caret: number) => {
    setText(value);
    setMention(mentionAt(value, caret));
    setChosen(0);
  };
  const complete = (agentId: string) => {
    const caret = box.current?.selectionStart ?? text.length;
    const start = caret - (mention?.length ?? 0);
    const value = `${text.slice(0, start)}${agentId} ${text.slice(caret)}`;
    setText(value);
    setMention(null);
    requestAnimationFrame(() => {
      box.current?.focus();
      box.current?.setSelectionRange(start + agentId.length + 1, start + agentId.length + 1);
    });
  };
  const submit = () => {
    if (!text.trim()) return;
    hub.send(room, text);
    setText("");
    setMention(null);
  };
  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (suggestions.length && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      setChosen((chosen + (event.key === "ArrowDown" ? 1 : suggestions.length - 1)) % suggestions.length);
    } else if (suggestions.length && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      complete(suggestions[chosen]?.id ?? "");
    } else if (event.key === "Escape") {
      setMention(null);
    } else if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  return (
    <form
      className="relative border-t border-line bg-panel p-3"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {suggestions.length > 0 && (
        <ul role="listbox" aria-label="Agents" className="absolute bottom-full left-3 mb-1 w-64 overflow-hidden rounded-lg border border-line bg-panel shadow-lg">
          {suggestions.map((agent, index) => (
            <li key={agent.fqid} role="option" aria-selected={index === chosen}>
              <button
                type="button"
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => complete(agent.id)}
                className={`flex w-full gap-2 px-3 py-1.5 text-left ${index === chosen ? "bg-mark" : "hover:bg-raised"}`}
              >
                <span className="font-medium">@{agent.id}</span>
                <span className="truncate text-quiet">{agent.name}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="flex items-end gap-2">
        <label className="sr-only" htmlFor="composer">
          Message
        </label>
        <textarea
          id="composer"
          ref={box}
          value={text}
          rows={Math.min(8, text.split("\n").length)}
          disabled={!canWrite}
          autoFocus
          placeholder={canWrite ? "Write a message. @ mentions an agent; Enter sends, Shift+Enter breaks the line." : "You may read this room, but not write in it."}
          onChange={(event) => edited(event.target.value, event.target.selectionStart)}
          onKeyDown={pressed}
          className="grow resize-none rounded-lg border border-line bg-page px-3 py-2 placeholder:text-quiet"
        />
        <button type="submit" disabled={!canWrite || !text.trim()} className="rounded-lg bg-accent px-4 py-2 font-medium text-on-accent disabled:opacity-50">
          Send
        </button>
      </div>
    </form>
  );
}
