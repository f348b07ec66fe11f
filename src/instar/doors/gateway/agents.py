"""Agents as the dialect sees them: those that are registered, and the one that is meant when none is named."""

from collections.abc import Sequence

from instar.hub.operations.hub import Caller, Hub
from instar.wire.agents import LIST, AgentPage, AgentSummary
from instar.wire.limits import PAGE_MAX
from instar.wire.messages import PageQuery

GUIDE = "guide"
"""The agent of a new hub, and the default one while it exists."""


async def registered(hub: Hub, caller: Caller) -> list[AgentSummary]:
    """Return the agents that are registered, by id."""
    found: list[AgentSummary] = []
    after = ""
    while True:
        page: AgentPage = await hub.invoke(caller, LIST, PageQuery(limit=str(PAGE_MAX), after=after))
        found += [one for one in page.agents if one.registered]
        after = page.page.next_after
        if not after:
            return found


def default_of(known: Sequence[AgentSummary]) -> str:
    """Return the agent that is meant when none is named: `guide`, or the first there is; empty: there is none."""
    ids = [one.id for one in known]
    return GUIDE if GUIDE in ids or not ids else ids[0]
