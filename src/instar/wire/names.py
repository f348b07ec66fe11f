"""Names on the wire: ids, fully qualified ids (`molt://…`), member forms and room keys (Moltnet http.v1 §1.1)."""

import re
from typing import NamedTuple

from .events import RoomKey
from .limits import ID_PATTERN

_ID = re.compile(ID_PATTERN)
_FQID = re.compile(r"^molt://([^/]+)/(agents|rooms|threads|dms|artifacts)/(.+)$")


class Network(NamedTuple):
    """Which network this hub is."""

    id: str
    name: str


class MemberName(NamedTuple):
    """A member, sender or participant: an agent (or person) of a network; an empty network is the local one."""

    network_id: str
    id: str


def is_id(text: str) -> bool:
    """Whether `text` is a plain id: a letter or digit, then up to 127 of `A-Za-z0-9._:-`."""
    return _ID.match(text) is not None


def fqid(network_id: str, kind: str, item_id: str) -> str:
    """Return the fully qualified id; `kind` is agents, rooms, threads, dms or artifacts."""
    return f"molt://{network_id}/{kind}/{item_id}"


def parse_member(text: str) -> MemberName | None:
    """Parse a plain id, `net:agent` or an agent FQID; None when it is none of them.

    A plain id may hold colons; only the caller knows whether `a:b` is scoped, so `net:agent` splits at the first one.
    """
    text = text.strip()
    if text.startswith("molt://"):
        match = _FQID.match(text)
        if match is None or match[2] != "agents":
            return None
        network_id, member = match[1], match[3]
    elif ":" in text:
        network_id, _, member = text.partition(":")
    else:
        network_id, member = "", text
    if not is_id(member) or (network_id and not is_id(network_id)):
        return None
    return MemberName(network_id, member)


def room_key(kind: str, room_id: str) -> RoomKey:
    """Return the key of a room: `room:general`, `thread:t1`, `dm:d1`."""
    return RoomKey(f"{kind}:{room_id}")


def session_id_of(agent_id: str, name: str) -> str:
    """Return the id of an agent's session: `agent:AGENT:NAME`. Agent ids hold no colon, names may."""
    return f"agent:{agent_id}:{name}"


def session_parts(session_id: str) -> tuple[str, str]:
    """Return agent and name of a session's id; both empty when it is none."""
    prefix, _, rest = session_id.partition(":")
    agent_id, _, name = rest.partition(":")
    return (agent_id, name) if prefix == "agent" and agent_id and name else ("", "")


def split_key(key: str) -> tuple[str, str]:
    """Return kind and id of a room key, or of a target typed by a person (`room:general`)."""
    kind, _, room_id = key.partition(":")
    return kind, room_id
