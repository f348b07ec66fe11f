"""Live names for the shell's Tab: best effort, in no more than `WAIT_S`."""

import os

import click
from click.shell_completion import CompletionItem

from instar.client.access import find, trust_of
from instar.client.errors import HubError
from instar.client.http import Client

WAIT_S = 0.1


def rooms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Return the rooms that begin with `incomplete`; none when the hub does not answer at once."""
    return _names("rooms.list", "rooms", incomplete)


def agents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Return the agents that begin with `incomplete`; none when the hub does not answer at once."""
    return _names("agents.list", "agents", incomplete)


def schedules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Return the names of schedules that begin with `incomplete`; none when the hub does not answer at once."""
    return _names("schedules.list", "schedules", incomplete, "name")


def nodes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Return the names of machines that begin with `incomplete`; none when the hub does not answer at once."""
    return _names("nodes.list", "nodes", incomplete, "name")


def _names(operation: str, member: str, incomplete: str, field: str = "id") -> list[CompletionItem]:
    try:
        url, token, _ = find(os.environ)
        found = Client(url, token, timeout_s=WAIT_S, trust=trust_of(os.environ, url)).invoke(operation, {"limit": 500})
        names = [str(item[field]) for item in found[member]]
    except (HubError, KeyError, TypeError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
