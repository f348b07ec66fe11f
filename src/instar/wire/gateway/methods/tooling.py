"""The tools of agents: which there are, which a session has, and the use of one."""

from typing import Annotated, Any

from msgspec import Meta

from instar.wire.gateway.method import Method
from instar.wire.gateway.scopes import READ, WRITE
from instar.wire.identity import Id

from .devices import MODERN
from .params import Key, Params, Text


class CatalogParams(Params):
    """Whose tools."""

    agent_id: Text | None = None
    include_plugins: bool = True


class EffectiveParams(Params):
    """The tools of one session."""

    session_key: Key
    agent_id: Text | None = None


class UseParams(Params):
    """Use a tool; what it does passes the same gate as for an agent."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    args: dict[str, Any] | None = None
    session_key: Key | None = None
    agent_id: Text | None = None
    confirm: bool = False
    idempotency_key: Id | None = None
    conversation_read_origin: str | None = None


METHODS = (
    Method("tools.catalog", CatalogParams, "List the tools of agents", READ, generations=MODERN),
    Method("tools.effective", EffectiveParams, "List the tools of a session", READ, generations=MODERN),
    Method("tools.invoke", UseParams, "Use a tool", WRITE, generations=MODERN),
)
