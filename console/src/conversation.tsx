import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { Composer } from "./composer";
import { hub, split, useHub } from "./hub";
import { MessageRow, PendingRow, StreamingRow } from "./message";
import { EMPTY, type Pending, type Streaming } from "./timeline";
import type { Message } from "./wire";

type Row = { kind: "message"; message: Message } | { kind: "streaming"; streaming: Streaming } | { kind: "pending"; pending: Pending };

const NEAR_BOTTOM_PX = 80;
const NEAR_TOP_PX = 200;

export function Conversation({ room }: { room: string }) {
  const timeline = useHub((view) => view.timelines[room] ?? EMPTY);
  const rows = useMemo<Row[]>(
    () => [
      ...timeline.messages.map((message) => ({ kind: "message" as const, message })),
      ...timeline.streaming.map((streaming) => ({ kind: "streaming" as const, streaming })),
      ...timeline.pending.map((pending) => ({ kind: "pending" as const, pending })),
    ],
    [timeline],
  );
  return (
    <>
      <Title room={room} />
      <Rows rows={rows} room={room} isLoaded={timeline.isLoaded} hasOlder={timeline.hasOlder} />
      <Composer room={room} />
    </>
  );
}

function Title({ room }: { room: string }) {
  const [kind, id] = split(room);
  const details = useHub((view) => view.rooms.find((each) => each.id === id));
  const dm = useHub((view) => view.dms.find((each) => each.id === id));
  return (
    <div className="flex items-baseline gap-3 border-b border-line px-4 py-2">
      <h1 className="text-base font-semibold">
        {kind === "dm" ? dm?.participant_ids.filter((each) => each !== "operator").join(", ") : `# ${details?.name || id}`}
      </h1>
      <span className="truncate text-sm text-quiet">{kind === "dm" ? "direct" : (details?.members ?? []).join(", ")}</span>
    </div>
  );
}

function Rows({ rows, room, isLoaded, hasOlder }: { rows: Row[]; room: string; isLoaded: boolean; hasOlder: boolean }) {
  const scroller = useRef<HTMLDivElement>(null);
  const isAtBottom = useRef(true);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 64,
    getItemKey: (index) => keyOf(rows[index]),
    overscan: 12,
  });
  const first = keyOf(rows[0]);
  const knownFirst = useRef(first);
  useLayoutEffect(() => {
    // Older rows came in above: stay at the row that was on top.
    if (knownFirst.current !== first && !isAtBottom.current) {
      const index = rows.findIndex((row) => keyOf(row) === knownFirst.current);
      if (index > 0) virtual.scrollToIndex(index, { align: "start" });
    }
    knownFirst.current = first;
  }, [first, rows, virtual]);
  useEffect(() => {
    if (isAtBottom.current && rows.length) virtual.scrollToIndex(rows.length - 1, { align: "end" });
  }, [rows, virtual]);
  const scrolled = () => {
    const box = scroller.current;
    if (!box) return;
    isAtBottom.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_BOTTOM_PX;
    if (box.scrollTop < NEAR_TOP_PX && hasOlder) void hub.loadOlder(room);
  };
  if (isLoaded && rows.length === 0)
    return (
      <p className="m-auto p-6 text-center text-quiet">
        Nothing has been said here yet. Write the first message below, for example <code className="rounded bg-raised px-1.5 py-0.5">/help</code>.
      </p>
    );
  return (
    <div ref={scroller} onScroll={scrolled} role="log" aria-label="Messages" aria-live="polite" className="min-h-0 grow overflow-y-auto px-4 py-3">
      <div className="relative w-full" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => (
          <div
            key={item.key}
            data-index={item.index}
            ref={virtual.measureElement}
            className="absolute top-0 left-0 w-full"
            style={{ transform: `translateY(${item.start}px)` }}
          >
            <RowView row={rows[item.index]} room={room} />
          </div>
        ))}
      </div>
    </div>
  );
}

function keyOf(row: Row | undefined): string {
  switch (row?.kind) {
    case "message":
      return row.message.id;
    case "pending":
      return row.pending.message.id;
    case "streaming":
      return row.streaming.messageId;
    default:
      return "";
  }
}

function RowView({ row, room }: { row: Row | undefined; room: string }) {
  switch (row?.kind) {
    case "message":
      return <MessageRow message={row.message} />;
    case "pending":
      return <PendingRow pending={row.pending} room={room} />;
    case "streaming":
      return <StreamingRow streaming={row.streaming} />;
    default:
      return null;
  }
}
