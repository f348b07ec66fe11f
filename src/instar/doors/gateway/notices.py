"""What happens beside the conversations, as events: pairing, schedules, sessions, settings and presence."""

from typing import Any

import msgspec

from instar.wire.approvals import Approval
from instar.wire.devices import Device, KeyMismatch, PairingRequest, PairingState, Role
from instar.wire.events import Event
from instar.wire.execution import Declaration
from instar.wire.gateway.frames import StateVersion
from instar.wire.gateway.method import Generation
from instar.wire.gateway.session_keys import session_key_of
from instar.wire.nodes import TelemetrySignal
from instar.wire.presence import PresenceChanged
from instar.wire.schedules import Schedule, Slot, SlotState

from .approvals import moltis_resolved, moltis_row
from .approvals import request_row as request_row_of
from .approvals import resolved as resolution
from .devices import moltis_request_row, node_request_row, request_row
from .health import HEARTBEAT
from .jobs import ended
from .nodes.telemetry import in_moltis
from .outgoing import Outgoing, outgoing
from .presence import presence_row
from .times import millis, now_ms

Frames = tuple[Outgoing, ...]


class _NodeSeen(msgspec.Struct):
    id: str
    declaration: Declaration = Declaration()


_decode_request = msgspec.json.Decoder(PairingRequest).decode
_decode_device = msgspec.json.Decoder(Device).decode
_decode_mismatch = msgspec.json.Decoder(KeyMismatch).decode
_decode_schedule = msgspec.json.Decoder(Schedule).decode
_decode_slot = msgspec.json.Decoder(Slot).decode

_decode_approval = msgspec.json.Decoder(Approval).decode
_decode_node = msgspec.json.Decoder(_NodeSeen).decode

_MOLTIS_STATES = {PairingState.APPROVED: "approved", PairingState.REJECTED: "rejected"}


def _is_of_node(request: PairingRequest) -> bool:
    """Whether the device wants to be a node: clients of OpenClaw hear of it under both names."""
    return request.role is Role.NODE


def requested(event: Event, generation: Generation) -> Frames:
    """Render that a device asks."""
    request = _decode_request(event.payload)
    if generation is not Generation.MOLTIS:
        asked = outgoing("device.pair.requested", request_row(request))
        return (asked, outgoing("node.pair.requested", node_request_row(request))) if _is_of_node(request) else (asked,)
    family = "node.pair.requested" if _is_of_node(request) else "device.pair.requested"
    return (outgoing(family, moltis_request_row(request)),)


def resolved(event: Event, generation: Generation) -> Frames:
    """Render that it was decided on; a request that was superseded or has expired counts as rejected."""
    request = _decode_request(event.payload)
    decision = _MOLTIS_STATES.get(request.state, "rejected")
    if generation is not Generation.MOLTIS:
        told = {"requestId": request.id, "decision": decision, "ts": now_ms()}
        decided = outgoing("device.pair.resolved", {**told, "deviceId": request.device_id})
        if not _is_of_node(request):
            return (decided,)
        return decided, outgoing("node.pair.resolved", {**told, "nodeId": request.device_id})
    family = "node.pair.resolved" if _is_of_node(request) else "device.pair.resolved"
    return (outgoing(family, {"id": request.id, "status": decision}),)


def changed(event: Event, generation: Generation) -> Frames:
    """Render that a device was let in, renamed, given a token, revoked or removed."""
    if generation is not Generation.V4:
        return ()
    return (outgoing("device.pair.changed", {"deviceId": _decode_device(event.payload).id, "ts": now_ms()}),)


def mismatched(event: Event, generation: Generation) -> Frames:
    """Render that somebody showed another key under a known node's name."""
    if generation is not Generation.MOLTIS:
        return ()
    found = _decode_mismatch(event.payload)
    told = {
        "deviceId": found.alias or found.device_id,
        "displayName": found.name,
        "expectedFingerprint": found.expected_fingerprint,
        "presentedFingerprint": found.presented_fingerprint,
    }
    return (outgoing("node.security.key-mismatch", told),)


def scheduled(event: Event, generation: Generation) -> Frames:  # noqa: ARG001 - the shape of a notice
    """Render that a schedule was made, changed or removed."""
    schedule = _decode_schedule(event.payload)
    action = {"schedule.created": "added", "schedule.removed": "removed"}.get(event.type, "updated")
    told: dict[str, Any] = {"jobId": schedule.id, "action": action}
    if schedule.next_at and action != "removed":
        told["nextRunAtMs"] = millis(schedule.next_at)
    return (outgoing("cron", told),)


def slotted(event: Event, generation: Generation) -> Frames:  # noqa: ARG001 - the shape of a notice
    """Render what became of a slot; of an agent's heartbeat, besides, that it was due."""
    slot = _decode_slot(event.payload)
    cron = outgoing("cron", ended(slot))
    if not slot.schedule_id.startswith(HEARTBEAT):
        return (cron,)
    status = "sent" if slot.state is SlotState.FIRED else "skipped"
    beat = {"ts": millis(slot.recorded_at), "status": status, "reason": slot.reason}
    return cron, outgoing("heartbeat", {name: value for name, value in beat.items() if value})


def session_changed(event: Event, generation: Generation) -> Frames:
    """Render that a session was made, changed or removed."""
    key = session_key_of(event.room, "") if generation is Generation.V4 else None
    if key is None or not key.is_session:
        return ()
    told = {"sessionKey": str(key), "agentId": key.agent_id, "reason": event.type.rpartition(".")[2], "ts": now_ms()}
    return (outgoing("sessions.changed", told, session=str(key)),)


def configured(event: Event, generation: Generation) -> Frames:  # noqa: ARG001 - the shape of a notice
    """Render that the settings were changed."""
    return (outgoing("config.changed", {"ts": now_ms()}),) if generation is Generation.V4 else ()


def asked(event: Event, generation: Generation) -> Frames:
    """Render that a call waits for an approval."""
    approval = _decode_approval(event.payload)
    row = moltis_row(approval) if generation is Generation.MOLTIS else request_row_of(approval)
    return (outgoing("exec.approval.requested", row),)


def decided(event: Event, generation: Generation) -> Frames:
    """Render what became of it."""
    approval = _decode_approval(event.payload)
    row = moltis_resolved(approval) if generation is Generation.MOLTIS else resolution(approval)
    return (outgoing("exec.approval.resolved", row),)


def connected(event: Event, generation: Generation) -> Frames:
    """Render that a node came or went, as Moltis tells it."""
    if generation is not Generation.MOLTIS:
        return ()
    told = _decode_node(event.payload)
    row = {"type": event.type, "nodeId": told.id, "platform": told.declaration.platform}
    return (outgoing("presence", row, is_droppable=False),)


def measured(signal: TelemetrySignal) -> Frames:
    """Render how a node is; only Moltis's clients hear of it."""
    told = {"nodeId": signal.node_id, **in_moltis(signal.telemetry, is_stale=False)}
    return (outgoing("node.telemetry", told),)


def present(signal: PresenceChanged, health: int) -> Frames:
    """Render who is connected."""
    rows = {"presence": [presence_row(entry) for entry in signal.entries]}
    return (outgoing("presence", rows, state=StateVersion(signal.version, health)),)
