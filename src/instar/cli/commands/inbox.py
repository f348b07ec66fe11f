"""`instar inbox …`."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents
from instar.cli.messages import event_line
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import table
from instar.client.errors import HubError

STATES = ("pending", "failed", "dead")
_AGENT = click.option("--agent", required=True, shell_complete=agents, help="Whose inbox.")
_ITEMS = click.argument("items", type=int, nargs=-1, required=True, metavar="SEQ...")


@command("instar inbox list --agent beta", "instar inbox list --agent beta --lease --limit 5 --json", name="list")
@_AGENT
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Items to read.")
@click.option("--wait", type=click.FloatRange(0, 60), default=0.0, help="Seconds to wait for the first item.")
@click.option("--lease", is_flag=True, help="Take the items: others do not see them until acked or timed out.")
@click.option("--state", type=click.Choice(STATES), default="pending", show_default=True, help="Which items.")
def list_(session: Session, *, agent: str, limit: int, wait: float, lease: bool, state: str) -> Answer:
    """List what waits to wake an agent.

    Looking takes nothing; --lease does, and carries the lease to acknowledge with.
    """
    asked = {"agent_id": session.seek("agent", agent), "limit": limit, "wait": wait, "lease": lease, "state": state}
    found = session.client.invoke("inbox.read", asked, timeout_s=session.timeout_s + wait)
    lines = table(("SEQ", "STATE", "WHY", "TRIES", "EVENT"), map(_row, found["items"]), empty=f"Nothing {state}.")
    return Answer(found, lines, rows=found["items"])


@command("instar inbox ack --agent beta --up-to 1")
@_AGENT
@click.argument("items", type=int, nargs=-1, metavar="SEQ...")
@click.option("--up-to", type=click.IntRange(min=1), help="Everything up to and including this seq.")
@click.option("--lease", default="", help="Only under this lease.")
def ack(session: Session, items: tuple[int, ...], *, agent: str, up_to: int | None, lease: str) -> Answer:
    """Acknowledge inbox items.

    The answer comes when it is on disk: the items are not offered again.
    """
    if not items and up_to is None:
        raise HubError("usage", "no item is named", hint="Give the SEQ of items, or --up-to.")
    agent_id = session.seek("agent", agent)
    return _settled(session.invoke("inbox.ack", agent_id=agent_id, items=list(items), up_to=up_to, lease=lease))


@command('instar inbox nack --agent beta 1 --reason "model unreachable"')
@_AGENT
@_ITEMS
@click.option("--reason", required=True, help="Why they could not be handled.")
@click.option("--lease", default="", help="Only under this lease.")
@click.option("--final", is_flag=True, help="Dead-letter at once.")
def nack(session: Session, items: tuple[int, ...], *, agent: str, reason: str, lease: str, final: bool) -> Answer:
    """Give inbox items back with a reason."""
    agent_id = session.seek("agent", agent)
    return _settled(
        session.invoke("inbox.nack", agent_id=agent_id, items=list(items), reason=reason, lease=lease, final=final)
    )


@command("instar inbox replay --agent beta --all")
@_AGENT
@click.argument("items", type=int, nargs=-1, metavar="SEQ...")
@click.option("--all", "every", is_flag=True, help="The first hundred of them.")
def replay(session: Session, items: tuple[int, ...], *, agent: str, every: bool) -> Answer:
    """Offer dead-lettered items again.

    See them with `instar inbox list --agent AGENT --state dead`.
    """
    agent_id = session.seek("agent", agent)
    if not items and not every:
        raise HubError("usage", "no item is named", hint="Give the SEQ of items, or --all.")
    chosen = list(items)
    if every:
        dead = {"agent_id": agent_id, "state": "dead", "lease": False, "limit": 100}
        found = session.client.invoke("inbox.read", dead)
        chosen = [int(item["seq"]) for item in found["items"]]
        if not chosen:
            return _settled({"agent_id": agent_id, "settled": 0, "low_water": found["low_water"]})
    return _settled(session.invoke("inbox.replay", agent_id=agent_id, items=chosen))


def _row(item: dict[str, Any]) -> Sequence[object]:
    return item["seq"], item["state"], item.get("reason", ""), item.get("attempts", 0), event_line(item["event"])


def _settled(done: dict[str, Any]) -> Answer:
    return Answer(done, [f"{done['settled']} items; everything up to seq {done['low_water']} is settled."])


COMMAND = Group(
    "inbox",
    "An agent's inbox: what wakes it, until it is acknowledged.",
    examples=("instar inbox list --agent beta",),
    commands=[list_, ack, nack, replay],
)
