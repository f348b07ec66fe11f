"""What a person types to say where: `general`, `room:ID`, `thread:ID@ROOM`, `dm:ID`, `session:ID`, `@AGENT`."""

from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from .session import Session


class Place(NamedTuple):
    """A conversation as it was typed."""

    kind: str
    """room, thread, dm, session or agent."""
    id: str
    room_id: str = ""
    """Of a thread."""

    @property
    def key(self) -> str:
        """The room key that events carry; of an agent there is none."""
        return f"{self.kind}:{self.id}"


class _Target(click.ParamType[Place]):
    """Reads a target and completes the hub's own names."""

    name = "target"

    def convert(self, value: str | Place, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Return the place that `value` names."""
        if isinstance(value, Place):
            return value
        place = parse(value)
        if place is None:
            forms = "ROOM, room:ID, thread:ID@ROOM, dm:ID, session:ID or @AGENT"
            self.fail(f"{value!r} is no target: use {forms}", param, ctx)
        return place

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete rooms, or agents after `@`."""
        from .completions import agents, rooms  # noqa: PLC0415 - only completion asks the hub

        if incomplete.startswith("@"):
            return [CompletionItem("@" + item.value) for item in agents(ctx, param, incomplete[1:])]
        return rooms(ctx, param, incomplete)


TARGET = _Target()


def parse(text: str) -> Place | None:
    """Return the place that `text` names, or None."""
    if text.startswith("@"):
        return Place("agent", text[1:]) if text[1:] else None
    kind, colon, rest = text.partition(":")
    if not colon:
        return Place("room", text) if text else None
    if not rest:
        return None
    if kind == "thread":
        thread_id, _, room_id = rest.partition("@")
        return Place("thread", thread_id, room_id) if thread_id else None
    return Place(kind, rest) if kind in ("room", "dm", "session") else None


def wire_target(session: Session, place: Place, *, as_agent: str = "") -> dict[str, Any]:
    """Return the target of a message to `place`; a direct conversation with an agent is opened for it.

    Raises:
        HubError: There is no such thread or agent.
    """
    if place.kind == "room":
        return {"kind": "room", "room_id": session.seek("room", place.id)}
    if place.kind == "thread":
        room_id = place.room_id or session.invoke("threads.get", thread_id=place.id)["room_id"]
        return {"kind": "thread", "thread_id": place.id, "room_id": room_id}
    if place.kind == "session":
        return {"kind": "session", "session_id": place.id}
    if place.kind == "agent":
        return _dm(open_dm(session, place.id, as_agent=as_agent))
    return _dm(session.invoke("dms.get", dm_id=place.id))


def open_dm(session: Session, agent_id: str, *, as_agent: str = "") -> dict[str, Any]:
    """Return the direct conversation with an agent, opening it if there is none.

    Raises:
        HubError: `not_found` when the caller sees no such agent: a mistyped name would wait for ever.
    """
    session.invoke("agents.get", agent_id=session.seek("agent", agent_id))
    return session.invoke("dms.open", participant_ids=[agent_id], **{"as": as_agent})


def _dm(conversation: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "dm", "dm_id": conversation["id"], "participant_ids": conversation["participant_ids"]}
