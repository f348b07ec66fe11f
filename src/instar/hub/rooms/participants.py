"""Members and participants in their one canonical form."""

import hashlib
from collections.abc import Iterable

from instar.base.errors import InstarError
from instar.wire.limits import MEMBERS_MAX
from instar.wire.messages import Actor
from instar.wire.names import fqid, parse_member

DM_ID_HEX = 16


def canonical_member(text: str, network_id: str) -> str:
    """Return a local member as its plain id and a foreign one as `net:id`.

    Raises:
        InstarError: `unprocessable_entity` when `text` is no id, `net:id` or agent FQID.
    """
    member = parse_member(text)
    if member is None:
        raise InstarError(
            "unprocessable_entity",
            f"member {text!r} is no agent id",
            hint="Name members as `id`, `network:id` or `molt://network/agents/id`.",
        )
    if member.network_id in {"", network_id}:
        return member.id
    return f"{member.network_id}:{member.id}"


def canonical_members(texts: Iterable[str], network_id: str) -> list[str]:
    """Return members canonical, unique and sorted.

    Raises:
        InstarError: `unprocessable_entity` for a malformed one, or for more than `MEMBERS_MAX`.
    """
    members = sorted({canonical_member(text, network_id) for text in texts})
    if len(members) > MEMBERS_MAX:
        raise InstarError("unprocessable_entity", f"{len(members)} members are more than {MEMBERS_MAX}")
    return members


def member_of(actor: Actor, network_id: str) -> str:
    """Return the canonical member that a checked sender is."""
    return actor.id if actor.network_id in {"", network_id} else f"{actor.network_id}:{actor.id}"


def member_fqid(member: str, network_id: str) -> str:
    """Return the FQID of a canonical member."""
    network, colon, agent = member.partition(":")
    return fqid(network, "agents", agent) if colon else fqid(network_id, "agents", member)


def canonical_dm_id(participants: Iterable[str]) -> str:
    """Return the id of the conversation between these canonical participants when nobody chose one."""
    joined = "\n".join(sorted(participants))
    return f"dm-{hashlib.sha256(joined.encode()).hexdigest()[:DM_ID_HEX]}"
