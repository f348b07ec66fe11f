import { useVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useMemo, useRef, useState } from "react";
import { CallRow } from "./call-card";
import { Composer } from "./composer";
import { hub, useHub } from "./hub";
import { Icon } from "./icons";
import { MessageRow, NoteRow, PendingRow, StreamingRow } from "./message";
import { split } from "./route";
import { type Row, rowsOf } from "./rows";
import { partners } from "./sidebar";
import { EMPTY } from "./timeline";

const ROW_PX = 56;
const NEAR_BOTTOM_PX = 80;
const NEAR_TOP_PX = 600;

export function Conversation({ room }: { room: string }) {
  const timeline = useHub((view) => view.timelines[room] ?? EMPTY);
  const rows = useMemo(() => rowsOf(timeline), [timeline]);
  return (
    <>
      <Title room={room} />
      {timeline.error ? (
        <p role="alert" className="m-auto max-w-md p-6 text-center text-quiet">
          {timeline.error}
        </p>
      ) : timeline.isLoaded && rows.length === 0 ? (
        <p className="m-auto max-w-md p-6 text-center text-quiet">
          Nothing has been said here yet. Write the first message below, for example <code className="code">/help</code>.
        </p>
      ) : (
        <Rows rows={rows} room={room} hasOlder={timeline.hasOlder} isLoaded={timeline.isLoaded} />
      )}
      {!timeline.error && <Composer room={room} />}
    </>
  );
}

function Title({ room }: { room: string }) {
  const [kind, id] = split(room);
  const details = useHub((view) => view.rooms.find((each) => each.id === id));
  const dm = useHub((view) => view.dms.find((each) => each.id === id));
  const me = useHub((view) => view.me);
  const agents = useHub((view) => view.agents);
  const members = (details?.members ?? []).map((member) => agents.find((agent) => agent.id === member)?.name || member);
  return (
    <div className="flex h-12 shrink-0 items-center gap-3 border-b border-line bg-panel px-5">
      <h1 className="shrink-0 truncate font-semibold">
        {kind === "dm" ? (
          partners(dm, me, agents)
        ) : (
          <>
            <span className="font-normal text-quiet">#</span> {details?.name || id}
          </>
        )}
      </h1>
      <span className="truncate text-sm text-quiet">{kind === "dm" ? "direct conversation" : members.join(", ")}</span>
    </div>
  );
}

function Rows({ rows, room, hasOlder, isLoaded }: { rows: Row[]; room: string; hasOlder: boolean; isLoaded: boolean }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [isAtBottom, setAtBottom] = useState(true);
  // Rows that come in above leave what is read where it is; rows below are followed when the end is in view.
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 10,
    paddingStart: 16,
    paddingEnd: 16,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: NEAR_BOTTOM_PX,
  });
  const last = rows.at(-1);
  const isMine = last?.kind === "pending";
  useLayoutEffect(() => {
    // What one sends oneself is always shown.
    if (isMine) virtual.scrollToEnd();
  }, [isMine, last?.key, virtual]);
  useLayoutEffect(() => {
    if (isLoaded) virtual.scrollToEnd();
  }, [isLoaded, virtual]);
  const scrolled = () => {
    const box = scroller.current;
    if (!box) return;
    setAtBottom(box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_BOTTOM_PX);
    if (box.scrollTop < NEAR_TOP_PX && hasOlder) void hub.loadOlder(room);
  };
  return (
    <div className="relative flex min-h-0 grow flex-col">
      <div ref={scroller} onScroll={scrolled} tabIndex={0} role="region" aria-label="Messages" aria-busy={!isLoaded} className="min-h-0 grow overflow-y-auto overscroll-contain -outline-offset-2">
        <ol className="relative w-full" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return (
              row && (
                <li
                  key={item.key}
                  data-index={item.index}
                  ref={virtual.measureElement}
                  aria-setsize={hasOlder ? -1 : rows.length}
                  aria-posinset={item.index + 1}
                  className="absolute top-0 left-0 w-full"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  {row.day && <Day day={row.day} />}
                  <RowView row={row} room={room} />
                </li>
              )
            );
          })}
        </ol>
      </div>
      {!isAtBottom && (
        <button
          type="button"
          onClick={() => virtual.scrollToEnd()}
          className="absolute right-5 bottom-3 flex items-center gap-1.5 rounded-full border border-line bg-panel px-3 py-1.5 text-sm shadow-md hover:bg-raised"
        >
          <Icon name="down" /> Latest
        </button>
      )}
    </div>
  );
}

function Day({ day }: { day: string }) {
  const shown = day === new Date().toDateString() ? "Today" : new Date(day).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
  return (
    <p className="mx-5 my-3 flex items-center gap-3 text-xs text-quiet before:h-px before:grow before:bg-line after:h-px after:grow after:bg-line">{shown}</p>
  );
}

function RowView({ row, room }: { row: Row; room: string }) {
  switch (row.kind) {
    case "message":
      return <MessageRow message={row.message} isContinued={row.isContinued} />;
    case "note":
      return <NoteRow note={row.note} />;
    case "call":
      return <CallRow card={row.card} />;
    case "pending":
      return <PendingRow pending={row.pending} room={room} isContinued={row.isContinued} />;
    case "streaming":
      return <StreamingRow streaming={row.streaming} />;
  }
}
