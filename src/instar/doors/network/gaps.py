"""How a stream says that it cannot resume: the event `stream.replay_gap`, which is never stored."""

import hashlib

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.wire.events import EventView, ReplayGap

GAP_PREFIX = "evt_gap_"


def gap_event_id(requested: str) -> str:
    """Return the id of the gap event for a cursor (Moltnet http.v1 §1.1)."""
    return GAP_PREFIX + hashlib.sha256(requested.encode()).hexdigest()


def gap_event(network_id: str, gap: ReplayGap) -> tuple[str, bytes]:
    """Return id and JSON of the gap event."""
    event_id = gap_event_id(gap.requested_event_id)
    view = EventView(
        id=event_id,
        type="stream.replay_gap",
        network_id=network_id,
        created_at=to_rfc3339(now()),
        replay_gap=msgspec.to_builtins(gap),
    )
    return event_id, msgspec.json.encode(view)


def resume_cursor(gap: ReplayGap) -> str:
    """Return the cursor from which a client goes on that has seen the gap."""
    return gap.newest_event_id or str(gap.newest_seq)
