"""`instar agents …`."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents, rooms
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative, table
from instar.cli.wakes import WAKES
from instar.client.errors import HubError

_AGENT = click.argument("agent", shell_complete=agents)


@command("instar agents list", name="list")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True, help="Agents to list.")
@click.option("--after", default="", metavar="AGENT", help="Only after this agent id.")
def list_(session: Session, *, limit: int, after: str) -> Answer:
    """List agents and what they do."""
    page = session.invoke("agents.list", limit=limit, after=after)
    return Answer(
        page,
        table(
            ("AGENT", "ACTIVITY", "WAKE", "ROOMS", "SEEN"), map(_row, page["agents"]), empty="There is no agent yet."
        ),
        page["agents"],
    )


@command("instar agents show guide")
@_AGENT
def show(session: Session, agent: str) -> Answer:
    """Show one agent."""
    found = session.invoke("agents.get", agent_id=session.seek("agent", agent))
    facts = [
        ("name", found.get("name", "") or "-"),
        ("activity", _activity(found)),
        ("wake", found.get("wake", "all")),
        ("rooms", ", ".join(found.get("rooms", ())) or "-"),
        ("runtime", found.get("runtime", "") or "-"),
        ("waiting", found.get("pending_count", 0)),
    ]
    return Answer(found, table(("AGENT", found["id"]), facts))


@command("instar agents register beta --wake mentions")
@click.argument("agent")
@click.option("--name", default="", help="Display name.")
@click.option("--wake", type=click.Choice(WAKES), help="Which room messages wake it.")
@click.option("--issue-token", is_flag=True, help="Also make a token for the agent itself; it is shown once.")
def register(session: Session, agent: str, *, name: str, wake: str | None, issue_token: bool) -> Answer:
    """Claim an agent id."""
    made = session.invoke(
        "agents.register", requested_agent_id=agent, name=name, wake=wake, issue_token=issue_token or None
    )
    lines = [f"{'Registered' if made.get('created') else 'Already registered:'} {made['agent_id']}."]
    if token := made.get("agent_token"):
        lines.append(f"Its token, shown once: {token}")
    return Answer(made, lines)


@command("instar agents token beta --json")
@_AGENT
def token(session: Session, agent: str) -> Answer:
    """Give an agent a new token and end its old ones.

    The token is shown once.
    """
    made = session.invoke("agents.rotate_token", agent_id=session.seek("agent", agent))
    return Answer({**made, "token": made["agent_token"]}, [made["agent_token"]])


@command("instar agents wake beta mentions", "instar agents wake beta all --room general")
@_AGENT
@click.argument("policy", type=click.Choice(WAKES))
@click.option("--room", default="", metavar="ROOM", help="Only in this room.", shell_complete=rooms)
def wake(session: Session, agent: str, policy: str, *, room: str) -> Answer:
    """Say which room messages wake an agent."""
    agent_id = session.seek("agent", agent)
    change: dict[str, Any] = {"wake_rooms": {session.seek("room", room): policy}} if room else {"wake": policy}
    updated = session.invoke("agents.update", agent_id=agent_id, **change)
    where = f" in {room}" if room else ""
    return Answer(updated, [f"{agent_id} wakes on {policy}{where}."])


@command("instar agents pause beta")
@_AGENT
def pause(session: Session, agent: str) -> Answer:
    """Stop waking an agent; its inbox waits."""
    paused = session.invoke("agents.pause", agent_id=session.seek("agent", agent))
    return Answer(paused, [f"Paused {agent}; its inbox waits. It goes on with `instar agents resume {agent}`."])


@command("instar agents resume beta", "instar agents resume --all")
@click.argument("agent", required=False, shell_complete=agents)
@click.option("--all", "everyone", is_flag=True, help="Let all agents run again after stop-all.")
def resume(session: Session, agent: str | None, *, everyone: bool) -> Answer:
    """Wake a paused agent again."""
    if everyone:
        return Answer(session.invoke("agents.resume_all"), ["All agents may run again."])
    if agent is None:
        raise HubError("usage", "no agent is named", hint="Name an agent, or use --all.")
    resumed = session.invoke("agents.resume", agent_id=session.seek("agent", agent))
    return Answer(resumed, [f"Resumed {agent}."])


@command("instar agents remove beta --yes")
@_AGENT
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, agent: str, *, yes: bool) -> Answer:
    """Remove an agent.

    Its memberships, tokens and attachments end; what it said stays.
    """
    session.seek("agent", agent)
    session.confirm(f"Remove the agent {agent}?", yes=yes)
    return Answer(session.invoke("agents.remove", agent_id=agent), [f"Removed {agent}."])


@command('instar agents stop-all --reason "too much noise" --yes')
@click.option("--reason", default="", help="Said in the event and to who is refused.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def stop_all(session: Session, *, reason: str, yes: bool) -> Answer:
    """Stop all agents at once.

    Runs are cancelled; agents are neither woken nor heard until `instar agents resume --all`.
    """
    session.confirm("Stop all agents?", yes=yes)
    done = session.invoke("agents.stop_all", reason=reason)
    return Answer(done, [f"Stopped; {done.get('cancelled_runs', 0)} runs were cancelled."])


def _row(agent: dict[str, Any]) -> Sequence[object]:
    seen = agent.get("last_seen_at", "")
    names = ", ".join(agent.get("rooms", ())) or "-"
    return agent["id"], _activity(agent), agent.get("wake", "all"), names, relative(seen) if seen else "-"


def _activity(agent: dict[str, Any]) -> str:
    if not agent.get("registered"):
        return "not registered"
    activity = str(agent.get("activity", "offline"))
    return f"{activity}: {agent['task']}" if agent.get("task") else activity


COMMAND = Group(
    "agents",
    "Agents: who can be woken.",
    examples=("instar agents list",),
    default="list",
    commands=[list_, show, register, token, wake, pause, resume, remove, stop_all],
)
