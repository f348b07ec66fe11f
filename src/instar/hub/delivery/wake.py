"""Which messages wake an agent (Moltnet §7.2, without its holes): pure rules over a slim view of a message."""

import msgspec

from instar.wire.agents import Wake
from instar.wire.events import Event
from instar.wire.messages import Actor, Target, TargetKind
from instar.wire.names import fqid, session_parts
from instar.wire.sessions import is_session_of


class Said(msgspec.Struct, frozen=True):
    """What delivery needs of a `message.created` payload; the parts are skipped."""

    id: str
    target: Target
    from_: Actor = msgspec.field(name="from")
    mentions: list[str] = []
    hops: int = 0
    cause: str = ""

    @property
    def sender(self) -> str:
        """The sender's FQID."""
        return self.from_.fqid or fqid(self.from_.network_id, "agents", self.from_.id)


_decoder = msgspec.json.Decoder(Said)


def said(event: Event) -> Said | None:
    """Return the slim view of a `message.created`; None for other events and for erased messages."""
    if event.type != "message.created" or event.redacted:
        return None
    return _decoder.decode(event.payload)


def policy_for(message: Said, wake: Wake, wake_rooms: dict[str, Wake]) -> Wake:
    """Return the policy that holds for a message: its room's own, else the agent's; threads have their room's."""
    return wake_rooms.get(message.target.room_id, wake) if message.target.room_id else wake


def why(message: Said, agent_fqid: str, wake: Wake) -> str:
    """Return why a message wakes the agent under a policy: dm, session, mention, thread or room; empty: it does not.

    The agent must be a member of the message's room. Its own messages never wake it; a namesake of another network
    is somebody else. In a session of its own everything wakes it, unless its policy is never.
    """
    if message.sender == agent_fqid:
        return ""
    if message.target.kind is TargetKind.DM:
        return "dm" if wake in {Wake.ALL, Wake.MENTIONS} else ""
    if is_session_of(message.target, agent_fqid):
        return "session" if wake is not Wake.NEVER else ""
    is_mentioned = agent_fqid in message.mentions
    in_thread = message.target.kind is TargetKind.THREAD
    wakes = {Wake.ALL: True, Wake.MENTIONS: is_mentioned, Wake.THREAD_ONLY: in_thread, Wake.NEVER: False}[wake]
    if not wakes:
        return ""
    return "mention" if is_mentioned else "thread" if in_thread else "room"


def addressed(message: Said, network_id: str) -> dict[str, str]:
    """Return the local agents that a message addresses by itself, each with `dm` or `mention`.

    This is Moltnet's own bookkeeping of wakes (§3.5): it ignores the wake policy, which the node judges.
    """
    prefix = fqid(network_id, "agents", "")
    found: dict[str, str] = {}
    for mention in message.mentions:
        if mention.startswith(prefix):
            found[mention.removeprefix(prefix)] = "mention"
    if message.target.kind is TargetKind.DM:
        for participant in message.target.participant_ids:
            found[participant.removeprefix(prefix).removeprefix(f"{network_id}:")] = "dm"
    if message.target.kind is TargetKind.SESSION:
        found[session_parts(message.target.session_id)[0]] = "dm"
    if message.sender.startswith(prefix):
        found.pop(message.sender.removeprefix(prefix), None)
    return found


def may_address(event: Event) -> bool:
    """Whether an event can address somebody, without decoding it: the pump asks this of every event."""
    return event.type == "message.created" and (
        event.room.startswith(("dm:", "session:")) or b'"mentions":' in event.payload
    )
