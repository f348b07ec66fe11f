"""The event: an immutable, numbered record; its types; and how one is rendered as JSON.

The envelope is for ever. The payload is JSON bytes made once and spliced into every rendering.
"""

import hashlib
from typing import Any, NamedTuple, NewType

import msgspec

from instar.base.clock import Micros, to_rfc3339
from instar.base.ids import derived_uuid

from .agents import AgentEvent

RoomKey = NewType("RoomKey", str)
"""`kind:id` of a room within its org: `room:general`, `thread:t1`, `dm:d1`, `system:directory`."""

DIRECTORY = RoomKey("system:directory")
"""Agents that come, go and change; read by every authenticated principal."""
KEYRING = RoomKey("system:keys")
"""Keys made and revoked; read with scope `keys`."""
AUDIT = RoomKey("system:audit")
"""Privileged acts; read with scope `operate`."""
DEVICES = RoomKey("system:devices")
"""Devices that ask, come, change and go; read with scope `devices`."""
SCHEDULES = RoomKey("system:schedules")
"""Schedules and what became of their slots; read with scope `observe`."""
NODES = RoomKey("system:nodes")
"""Nodes, SSH targets and routes as they come, change and go; read with scope `observe` or `execute`."""
CALLS = RoomKey("system:calls")
"""Calls that belong to no conversation; read with scope `approve`."""
APPROVALS = RoomKey("system:approvals")
"""What waits for an approval, its decision, and the rules; read with scope `approve`."""
PRESENCE = RoomKey("system:presence")
"""Signals of who is connected, and no events; heard with scope `observe`."""
SYSTEM_ROOMS = (DIRECTORY, KEYRING, AUDIT, DEVICES, SCHEDULES, NODES, CALLS, APPROVALS, PRESENCE)


class EventType(NamedTuple):
    """One row of the event table."""

    payload: str
    """The JSON member that holds the payload."""
    meaning: str


EVENT_TYPES: dict[str, EventType] = {
    "message.created": EventType("message", "A message was stored."),
    "message.edited": EventType("edit", "A message's parts were replaced; history shows the new ones."),
    "message.redacted": EventType("redaction", "A message's content was erased."),
    "reaction.added": EventType("reaction", "A reaction was put on a message."),
    "reaction.removed": EventType("reaction", "A reaction was taken from a message."),
    "room.created": EventType("room", "A room was created."),
    "room.updated": EventType("room", "A room's name, visibility or write policy changed."),
    "room.members.updated": EventType("room", "The set of a room's members changed."),
    "room.removed": EventType("room", "A room was removed; its history stays stored."),
    "thread.created": EventType("thread", "A thread's first message is about to follow."),
    "dm.created": EventType("dm", "A direct conversation was opened."),
    "session.opened": EventType("session", "A session was opened."),
    "session.updated": EventType("session", "A session's label or members changed."),
    "session.reset": EventType("session", "A session began anew: what was said before is no part of it."),
    "session.removed": EventType("session", "A session was removed; its name may be opened anew."),
    "agent.registered": EventType("agent", "An agent id was claimed."),
    "agent.updated": EventType("agent", "An agent's name, wake policy or token changed."),
    "agent.connected": EventType("agent", "An agent attached."),
    "agent.disconnected": EventType("agent", "An agent's last attachment ended."),
    "agent.paused": EventType("agent", "An agent is woken no more until it is resumed."),
    "agent.resumed": EventType("agent", "A paused agent is woken again."),
    "agent.removed": EventType("agent", "An agent was removed."),
    "agent.wake.delivered": EventType("agent", "An agent acknowledged an event that wakes it."),
    "agent.wake.failed": EventType("agent", "An agent could not handle an event that wakes it."),
    "loop.stopped": EventType("loop", "Agents answered each other too often; the room cools down."),
    "run.started": EventType("run", "A run began."),
    "run.finished": EventType("run", "A run ended: done, failed or cancelled."),
    "key.created": EventType("key", "A key was made."),
    "key.revoked": EventType("key", "A key was revoked, or its token replaced."),
    "hub.stopped": EventType("hub", "All agents were stopped."),
    "hub.resumed": EventType("hub", "Stopped agents may run again."),
    "audit.recorded": EventType("audit", "A privileged act."),
    "auth.locked": EventType("audit", "An address presented too many wrong credentials and is locked for a while."),
    "settings.changed": EventType("audit", "The settings file was changed."),
    "person.added": EventType("person", "A person was added."),
    "person.changed": EventType("person", "A person's password or rights changed, or they were disabled or enabled."),
    "person.removed": EventType("person", "A person was removed."),
    "device.requested": EventType("pairing", "A device asks to be let in."),
    "device.resolved": EventType("pairing", "A pairing request was approved, rejected, superseded or has expired."),
    "device.changed": EventType("device", "A device was let in, renamed, given a token or revoked."),
    "device.removed": EventType("device", "A device was forgotten."),
    "device.key_mismatch": EventType("device", "Somebody presented another key under a known device's name."),
    "schedule.created": EventType("schedule", "A schedule was made."),
    "schedule.updated": EventType("schedule", "A schedule was changed, paused or resumed."),
    "schedule.removed": EventType("schedule", "A schedule was removed."),
    "schedule.fired": EventType("slot", "A slot of a schedule was due and its message is in the room."),
    "schedule.missed": EventType("slot", "A slot of a schedule passed undone; the reason is in it."),
    "node.connected": EventType("node", "A node dialled in, or changed what it offers."),
    "node.disconnected": EventType("node", "A node's link ended."),
    "node.changed": EventType("node", "A node's permit or labels changed."),
    "ssh.changed": EventType("ssh", "An SSH target was added, changed, pinned, blocked or made the default."),
    "ssh.removed": EventType("ssh", "An SSH target was forgotten."),
    "ssh.key_added": EventType("ssh", "A managed SSH key was made or taken."),
    "ssh.key_removed": EventType("ssh", "A managed SSH key was removed."),
    "route.changed": EventType("route", "Where the calls of a room, an agent or the org go was changed."),
    "call.admitted": EventType("call", "A call was asked for."),
    "call.dispatched": EventType("call", "A call was sent to its machine; from here on it may have had an effect."),
    "call.ended": EventType("call", "A call ended: done, failed, cancelled, expired or lost."),
    "approval.requested": EventType("approval", "A call waits for an approval."),
    "approval.decided": EventType("approval", "What waited was approved, denied, cancelled or has expired."),
    "rule.added": EventType("rule", "A rule of approvals was remembered."),
    "rule.removed": EventType("rule", "A rule of approvals was forgotten."),
    "rules.replaced": EventType("rules", "The veto of an agent, or the static file of rules, was replaced."),
    "stream.replay_gap": EventType("replay_gap", "Not stored: the stream cannot resume where it was asked to."),
}


_RECORDS = frozenset({"agent.registered", "agent.updated", "agent.paused", "agent.resumed"})
"""Their payloads carry all that the registry keeps: rooms and keys among it that not every reader may know of."""
_narrow = msgspec.json.Decoder(AgentEvent).decode


class Event(msgspec.Struct, frozen=True):
    """A committed event."""

    seq: int
    """Strictly increasing over the whole store; holes are legal."""
    prev: int
    """The `seq` before it in its room, 0 for the first: how a reader sees a gap."""
    org: str
    room: RoomKey
    id: str
    type: str
    actor: str
    """Id of the principal that caused it; empty for the hub itself."""
    created_at: Micros
    payload: bytes
    """JSON object; after a redaction the tombstone that replaced it."""
    digest: bytes
    """SHA-256 of the payload as it was appended; a redaction keeps it."""
    chain: bytes
    """SHA-256 over the previous chain value of the room, the envelope and the digest."""
    redacted: bool = False


def envelope_chain(previous: bytes, event_id: str, room: str, kind: str, actor: str, at: int, digest: bytes) -> bytes:
    """Return the chain value of an event: it fixes the envelope and every event before it in the room.

    `seq` is left out, so that a copy into another store with other numbers verifies as well.
    """
    head = "\x1f".join((event_id, room, kind, actor, str(at))).encode()
    return hashlib.sha256(previous + head + digest).digest()


def message_event_id(message_id: str) -> str:
    """Return the event id of `message.created` (Moltnet http.v1 §1.1), so a message id finds its event."""
    return "evt_" + derived_uuid(message_id.strip())


def render(event: Event, network_id: str) -> bytes:
    """Return the event as the JSON that `/v1`, SSE and every attachment show: Moltnet's shape plus our fields.

    The key of its room is `room_key`: `room` is an object in Moltnet's shape, the payload of `room.*`. Of the record of
    an agent only `AgentEvent` is shown.
    """
    payload = event.payload if event.type not in _RECORDS else msgspec.json.encode(_narrow(event.payload))
    return b'{"id":"%b","type":"%b","network_id":"%b","created_at":"%b","seq":%d,"prev":%d,"room_key":%b,"%b":%b}' % (
        event.id.encode(),
        event.type.encode(),
        network_id.encode(),
        to_rfc3339(event.created_at).encode(),
        event.seq,
        event.prev,
        msgspec.json.encode(event.room),
        EVENT_TYPES[event.type].payload.encode(),
        payload,
    )


class EventView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON shape of an event, for schemas and clients; `render` writes it without building one."""

    id: str
    type: str
    network_id: str
    created_at: str
    seq: int = 0
    prev: int = 0
    room_key: str = ""
    room: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    edit: dict[str, Any] | None = None
    redaction: dict[str, Any] | None = None
    reaction: dict[str, Any] | None = None
    thread: dict[str, Any] | None = None
    dm: dict[str, Any] | None = None
    session: dict[str, Any] | None = None
    agent: dict[str, Any] | None = None
    loop: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    key: dict[str, Any] | None = None
    hub: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    person: dict[str, Any] | None = None
    pairing: dict[str, Any] | None = None
    device: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    slot: dict[str, Any] | None = None
    node: dict[str, Any] | None = None
    ssh: dict[str, Any] | None = None
    route: dict[str, Any] | None = None
    call: dict[str, Any] | None = None
    approval: dict[str, Any] | None = None
    rule: dict[str, Any] | None = None
    rules: dict[str, Any] | None = None
    replay_gap: dict[str, Any] | None = None


class ReplayGap(msgspec.Struct, frozen=True):
    """What a stream says when it cannot resume at the cursor that was asked for."""

    requested_event_id: str
    oldest_event_id: str
    newest_event_id: str
    oldest_seq: int
    newest_seq: int
