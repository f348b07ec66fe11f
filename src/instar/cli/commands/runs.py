"""`instar runs …`."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative, table, visible
from instar.client.errors import HubError

LATEST = "latest"
STATES = ("admitted", "leased", "streaming", "waiting", "done", "failed", "cancelled")


@command("instar runs list --limit 5", name="list")
@click.option("--agent", default="", shell_complete=agents, help="Only of this agent.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Runs to list.")
def list_(session: Session, *, agent: str, state: str | None, limit: int) -> Answer:
    """List runs, newest first."""
    found = session.invoke("runs.list", agent_id=agent, state=state, limit=limit)
    return Answer(
        found,
        table(("RUN", "AGENT", "ROOM", "STATE", "BEGAN"), map(_row, found["runs"]), empty="There is no such run."),
        found["runs"],
    )


@command("instar runs show latest")
@click.argument("run")
def show(session: Session, run: str) -> Answer:
    """Show one run.

    RUN is an id, or `latest`.
    """
    found = session.invoke("runs.get", run_id=_id(session, run))
    facts = [(name, visible(str(value))) for name, value in found.items() if name != "id"]
    return Answer(found, table(("RUN", found["id"]), facts))


@command("instar runs cancel latest --reason enough")
@click.argument("run")
@click.option("--reason", default="", help="Why.")
def cancel(session: Session, run: str, *, reason: str) -> Answer:
    """Cancel a run.

    RUN is an id, or `latest`. What it has said so far ends in its last event.
    """
    done = session.invoke("runs.cancel", run_id=_id(session, run), reason=reason)
    return Answer(done, [f"{done['id']} is {done['state']}."])


def _id(session: Session, run: str) -> str:
    if run != LATEST:
        return run
    found = session.invoke("runs.list", limit=1)["runs"]
    if not found:
        raise HubError("not_found", "there is no run yet", hint='Wake an agent: instar send general "@guide hello"')
    return str(found[0]["id"])


def _row(run: dict[str, Any]) -> Sequence[object]:
    return run["id"], run["agent_id"], run["room"], run["state"], relative(run["created_at"])


COMMAND = Group(
    "runs",
    "Runs: one waking of an agent each.",
    examples=("instar runs list",),
    default="list",
    commands=[list_, show, cancel],
)
