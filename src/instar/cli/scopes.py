"""The scopes of grants, without the types of the wire: help and completion must stay light."""

import click

SCOPES = ("observe", "write", "attach", "admin", "pair", "keys", "operate", "devices", "approve", "execute", "node")
"""A test compares them with `wire.identity.Scope`."""


class ScopeChoice(click.Choice[str]):
    """A scope. There are too many to stand in the left column of a help page."""

    def __init__(self) -> None:
        super().__init__(SCOPES)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - the shape of Choice
        """Return how a value is called in usage lines."""
        return "SCOPE"


def one_of(purpose: str) -> str:
    """Return the help text of an option that takes scopes."""
    return f"{purpose} One of {', '.join(SCOPES)}."
