"""`instar rooms …`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents, rooms
from instar.cli.outputs import Answer, Stream
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place, open_dm
from instar.cli.texts import relative, table
from instar.client.errors import HubError
from instar.client.stream import export as export_events

VISIBILITIES = ("private", "public")
WRITE_POLICIES = ("members", "registered_agents", "operators")
_ROOM = click.argument("room", shell_complete=rooms)


@command("instar rooms list", name="list")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True, help="Rooms to list.")
@click.option("--after", default="", metavar="ROOM", help="Only after this room id.")
def list_(session: Session, *, limit: int, after: str) -> Answer:
    """List the rooms that you may read."""
    page = session.invoke("rooms.list", limit=limit, after=after)
    heads = ("ROOM", "NAME", "MEMBERS", "MESSAGES", "UNREAD", "LAST MESSAGE")
    return Answer(
        page, table(heads, map(_row, page["rooms"]), empty="There is no room that you may read."), rows=page["rooms"]
    )


@command("instar rooms show general")
@_ROOM
def show(session: Session, room: str) -> Answer:
    """Show one room."""
    found = session.invoke("rooms.get", room_id=session.seek("room", room))
    facts = [
        ("name", found["name"]),
        ("visibility", found["visibility"]),
        ("write policy", found["write_policy"]),
        ("members", _members(found)),
        ("messages", found.get("message_count", 0)),
        ("created", relative(found["created_at"])),
    ]
    return Answer(found, table(("ROOM", found["id"]), facts))


@command("instar rooms create review --member guide --name Review")
@click.argument("room")
@click.option("--name", default="", help="Display name.")
@click.option(
    "--member", "--members", "members", multiple=True, metavar="ID[,ID…]", shell_complete=agents,
    help="Members; may be repeated.",
)  # fmt: skip
@click.option("--visibility", type=click.Choice(VISIBILITIES), default="private", show_default=True, help="Who reads.")
@click.option(
    "--write-policy", type=click.Choice(WRITE_POLICIES), default="members", show_default=True, help="Who writes."
)
def create(
    session: Session, room: str, *, name: str, members: tuple[str, ...], visibility: str, write_policy: str
) -> Answer:
    """Create a room."""
    listed = [member for group in members for member in group.split(",") if member]
    made = session.invoke(
        "rooms.create", id=room, name=name, members=listed, visibility=visibility, write_policy=write_policy
    )
    return Answer(made, [f"Created {made['id']}."])


@command("instar rooms remove review --yes")
@_ROOM
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, room: str, *, yes: bool) -> Answer:
    """Remove a room softly.

    Its history stays stored and its id stays taken.
    """
    session.seek("room", room)
    session.confirm(f"Remove the room {room}? Its id cannot be used again.", yes=yes)
    return Answer(session.invoke("rooms.remove", room_id=room), [f"Removed {room}."])


@command("instar rooms export general")
@click.argument("target", type=TARGET)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead.")
def export(session: Session, target: Place, *, to: Path | None) -> Answer | Stream:
    """Export a conversation's history, one event a line.

    TARGET is a room, thread:ID, dm:ID, session:ID or @AGENT. The output is NDJSON in every form; its last line
    counts the events.
    """
    kind, name = target.kind, session.seek(target.kind, target.id)
    if kind == "agent":
        kind, name = "dm", str(open_dm(session, name)["id"])
    events = export_events(session.client, **{f"{kind}_id": name})
    if to is None:
        return Stream(events, _json_line)
    last: dict[str, Any] = {}
    with to.open("x", encoding="utf-8") as file:
        for last in events:
            file.write(_json_line(last) + "\n")
    return Answer({"path": str(to), **last}, [f"Exported to {to}."])


@command("instar rooms members add review beta")
@_ROOM
@click.argument("member", nargs=-1, required=True, shell_complete=agents)
def add(session: Session, room: str, member: tuple[str, ...]) -> Answer:
    """Add members to a room.

    MEMBER is an agent's id, or a person's id or login.
    """
    return _changed(session.invoke("rooms.members", room_id=session.seek("room", room), add=_ids(session, member)))


@command("instar rooms members remove review beta", name="remove")
@_ROOM
@click.argument("member", nargs=-1, required=True, shell_complete=agents)
def drop(session: Session, room: str, member: tuple[str, ...]) -> Answer:
    """Remove members from a room.

    MEMBER is an agent's id, or a person's id or login.
    """
    return _changed(session.invoke("rooms.members", room_id=session.seek("room", room), remove=_ids(session, member)))


def _ids(session: Session, named: Sequence[str]) -> list[str]:
    """Return the ids of members; a login is its person's, unless an agent has that id.

    Who may not see people names them by their ids.
    """
    try:
        people = {each["login"]: each["id"] for each in session.invoke("people.list")["people"]}
    except HubError as error:
        if error.code != "forbidden":
            raise
        return list(named)
    met = {name for name in named if name in people and not _is_agent(session, name)}
    return [people[name] if name in met else name for name in named]


def _is_agent(session: Session, name: str) -> bool:
    try:
        session.invoke("agents.get", agent_id=name)
    except HubError as error:
        if error.code != "not_found":
            raise
        return False
    return True


def _row(room: dict[str, Any]) -> Sequence[object]:
    last = room.get("last_message_at", "")
    members = len(room.get("members", ()))
    counts = (members, room.get("message_count", 0), room.get("unread_count", 0))
    return room["id"], room["name"], *counts, relative(last) if last else "-"


def _changed(room: dict[str, Any]) -> Answer:
    """Say who the members are now; the answer to a change counts no messages."""
    return Answer(room, [f"Members of {room['id']}: {_members(room)}"])


def _members(room: dict[str, Any]) -> str:
    return ", ".join(room.get("members", ())) or "-"


def _json_line(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False)


COMMAND = Group(
    "rooms",
    "Rooms: where messages are said.",
    examples=("instar rooms list",),
    default="list",
    commands=[
        list_,
        show,
        create,
        remove,
        export,
        Group(
            "members",
            "Who belongs to a room.",
            examples=("instar rooms members add review guide",),
            commands=[add, drop],
        ),
    ],
)
