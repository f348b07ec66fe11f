"""Agents: listed, made, renamed, removed."""

from typing import Annotated

from msgspec import UNSET, Meta

from instar.wire.gateway.method import Method, NoParams
from instar.wire.gateway.scopes import ADMIN, READ
from instar.wire.limits import NAME_MAX_CHARS

from .params import Params, Text, Unserved

Name = Annotated[str, Meta(min_length=1, max_length=NAME_MAX_CHARS)]


class AgentsCreateParams(Params):
    """A new agent. Its id is made from its name."""

    name: Name
    workspace: Unserved = UNSET
    model: Unserved = UNSET
    emoji: Unserved = UNSET
    avatar: Unserved = UNSET


class AgentsUpdateParams(Params):
    """Call an agent something else."""

    agent_id: Text
    name: Name | None = None
    workspace: Unserved = UNSET
    model: Unserved = UNSET
    emoji: Unserved = UNSET
    avatar: Unserved = UNSET


class AgentsDeleteParams(Params):
    """Remove an agent."""

    agent_id: Text
    delete_files: bool | None = None
    """An agent has no files here."""


METHODS = (
    Method("agents.list", NoParams, "List agents", READ),
    Method("agents.create", AgentsCreateParams, "Make an agent", ADMIN),
    Method("agents.update", AgentsUpdateParams, "Call an agent something else", ADMIN),
    Method("agents.delete", AgentsDeleteParams, "Remove an agent", ADMIN),
)
