"""Presence as the dialect shows it."""

from typing import Any

from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.scopes import NODE, theirs
from instar.wire.identity import Scope
from instar.wire.presence import GONE, PresenceEntry

from .call import Client
from .times import millis

_SCOPES = frozenset(scope.value for scope in Scope)


def presence_row(entry: PresenceEntry) -> dict[str, Any]:
    """Return one row of `system-presence`; what is not known is left out."""
    rights = frozenset(Scope(word) for word in entry.scopes if word in _SCOPES)
    row: dict[str, Any] = {
        "host": entry.host,
        "ip": entry.address,
        "version": entry.version,
        "platform": entry.platform,
        "deviceFamily": entry.family,
        "modelIdentifier": entry.model,
        "timeZone": entry.time_zone,
        "mode": entry.mode,
        "lastInputSeconds": None if entry.idle_s is None else int(entry.idle_s),
        "reason": entry.reason,
        "tags": entry.tags,
        "text": entry.text or _summary(entry),
        "deviceId": entry.device_id,
        "roles": [entry.role] if entry.role else [],
        "scopes": theirs(rights) if rights else entry.scopes,
        "instanceId": entry.instance_id,
        "onlineSince": millis(entry.since),
    }
    return {name: value for name, value in row.items() if value not in ("", None, [])} | {"ts": millis(entry.at)}


def entry_of(who: Introduction, client: Client, address: str) -> PresenceEntry:
    """Return what a connection is shown as: what the client says of itself, in the role and device that it proved."""
    return PresenceEntry(
        client.conn_id,
        "",
        door=f"gateway.{who.generation}",
        role=who.role,
        device_id=client.device_id,
        instance_id=who.instance_id,
        host=who.display_name,
        address=address,
        mode=who.mode,
        version=who.version,
        platform=who.platform,
        family=who.family,
        model=who.model,
        time_zone=who.time_zone,
    )


def is_connected_node(entry: PresenceEntry) -> bool:
    """Whether an entry is a node that is there now."""
    return entry.role == NODE and entry.reason != GONE


def _summary(entry: PresenceEntry) -> str:
    """Return what people read of an entry that says nothing itself."""
    name = entry.host or entry.principal or entry.key
    return " · ".join(part for part in (f"{entry.role or 'client'}: {name}", entry.mode, entry.reason) if part)
