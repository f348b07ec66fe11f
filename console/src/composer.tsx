import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { hub, useHub } from "./hub";
import { Icon } from "./icons";
import { NodePicker } from "./node-picker";
import { mentionAt } from "./mention";
import { split } from "./route";

const SUGGESTIONS_MAX = 6;

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
    () => (mention === null ? [] : agents.filter((agent) => agent.registered && agent.id.toLowerCase().startsWith(mention.toLowerCase())).slice(0, SUGGESTIONS_MAX)),
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
    // At once, or the next key that is pressed would come before the caret is where it belongs.
    flushSync(() => {
      setText(value);
      setMention(null);
    });
    box.current?.focus();
    box.current?.setSelectionRange(start + agentId.length + 1, start + agentId.length + 1);
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
  const isChoosing = suggestions.length > 0;
  return (
    <form
      className="relative shrink-0 bg-page px-5 pt-1 pb-4 max-sm:px-3"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {isChoosing && (
        <ul id="suggestions" role="listbox" aria-label="Agents" className="absolute bottom-full left-5 z-10 mb-1 w-72 max-w-[80vw] overflow-hidden rounded-xl border border-line bg-panel p-1 shadow-lg">
          {suggestions.map((agent, index) => (
            <li
              key={agent.fqid}
              id={`suggestion-${index}`}
              role="option"
              aria-selected={index === chosen}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => complete(agent.id)}
              className={`flex cursor-pointer gap-2 rounded-lg px-2.5 py-1.5 ${index === chosen ? "bg-mark" : "hover:bg-raised"}`}
            >
              <span className="font-medium">@{agent.id}</span>
              <span className="truncate text-quiet">{agent.name}</span>
            </li>
          ))}
        </ul>
      )}
      <NodePicker room={room} />
      <div className="flex items-end gap-2 rounded-xl border border-edge bg-panel p-1.5 focus-within:border-accent focus-within:ring-1 focus-within:ring-accent">
        <label className="sr-only" htmlFor="composer">
          Message
        </label>
        <textarea
          id="composer"
          ref={box}
          value={text}
          rows={1}
          disabled={!canWrite}
          autoFocus={window.matchMedia("(min-width: 640px)").matches}
          aria-autocomplete="list"
          aria-controls={isChoosing ? "suggestions" : undefined}
          aria-activedescendant={isChoosing ? `suggestion-${chosen}` : undefined}
          placeholder={canWrite ? "Write a message, @ to mention" : "You may read here, but not write"}
          title="Enter sends, Shift+Enter breaks the line"
          onChange={(event) => edited(event.target.value, event.target.selectionStart)}
          onBlur={() => setMention(null)}
          onKeyDown={pressed}
          className="field-sizing-content max-h-[40vh] min-h-9 grow resize-none bg-transparent px-2 py-1.5 outline-none placeholder:text-quiet"
        />
        <button type="submit" aria-label="Send" title="Send" disabled={!canWrite || !text.trim()} className="primary size-9 !p-0">
          <Icon name="send" className="size-5" />
        </button>
      </div>
    </form>
  );
}
