"""`instar route …`."""

from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place
from instar.cli.texts import table
from instar.client.errors import HubError

_ROOM = click.option("--room", type=TARGET, help="Of this room or session.")
_AGENT = click.option("--agent", default="", shell_complete=agents, help="Of this agent.")


@command("instar route show", "instar route show --room general --agent guide")
@_ROOM
@_AGENT
@click.option("--node", default="", metavar="NODE", help="As if a call named this machine.")
def show(session: Session, *, room: Place | None, agent: str, node: str) -> Answer:
    """Say where a call would go, and list every choice that was made."""
    answer = session.invoke("calls.route", room=_key(room), agent_id=agent, target=node)
    routes = session.invoke("routes.list")["routes"]
    rows = [(step["by"], step.get("wanted", ""), step.get("verdict", "")) for step in answer["steps"]]
    chosen = [(_whose(row), row["target"], row.get("set_by", "")) for row in routes]
    lines = [*table(("BY", "CHOICE", "SAYS"), rows), _outcome(answer)]
    if chosen:
        lines += ["", *table(("OF", "MACHINE", "CHOSEN BY"), chosen)]
    return Answer({"route": answer, "routes": routes}, lines)


@command(
    "instar route set local", "instar route set local --room general", "instar route set local --agent guide --json"
)
@click.argument("node")
@_ROOM
@_AGENT
def set_(session: Session, *, node: str, room: Place | None, agent: str) -> Answer:
    """Choose where calls go.

    NODE is an id, a name, ssh:LABEL, local, or labels (gpu=yes,os=linux). Of a room, of an agent, or else of everything
    that chooses nothing nearer.
    """
    answer = session.invoke("routes.set", target=node, room=_key(room), agent_id=agent)
    return Answer(answer, [_outcome(answer)])


@command("instar route clear --room general")
@_ROOM
@_AGENT
def clear(session: Session, *, room: Place | None, agent: str) -> Answer:
    """Take a choice back: the next row of the table decides then."""
    answer = session.client.invoke("routes.set", {"target": "", "room": _key(room), "agent_id": agent})
    return Answer(answer, [_outcome(answer)])


def _key(room: Place | None) -> str:
    if room is None:
        return ""
    if room.kind == "agent":
        raise HubError("usage", "an agent is no room", hint=f"Say --agent {room.id}.")
    return room.key


def _whose(row: dict[str, Any]) -> str:
    return row.get("room") or (f"agent {row['agent_id']}" if row.get("agent_id") else "everything")


def _outcome(answer: dict[str, Any]) -> str:
    if error := answer.get("error"):
        hint = f" {error['hint']}" if error.get("hint") else ""
        return f"A call would fail: {error['message']}.{hint}"
    return f"A call would go to {answer['target_name']} ({answer['target_id']})."


set_.name = "set"
COMMAND = Group(
    "route",
    "Route: where the calls of rooms, agents and everything else go.",
    examples=("instar route show",),
    default="show",
    commands=[show, set_, clear],
)
