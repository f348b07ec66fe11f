"""The algebra of grants: passing one on can only narrow it. `attenuate` makes every grant but the roots."""

from dataclasses import dataclass, field, replace
from typing import Literal

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.wire.identity import Principal, PrincipalKind, Scope

from .principals import Grant, is_reserved


def new_key_id() -> str:
    """Return an id for a grant; `key_` ids are reserved, so no agent can be called like a key's principal."""
    return new_id("key")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a holder.

    `agents` None asks for none by name, and the right to claim unused ids if the holder has it. `rooms` None asks
    for every room that the holder reaches. `expires_at` None asks for the holder's own end.
    """

    kind: Literal["key", "agent", "session", "device", "person"]
    name: str
    scopes: frozenset[Scope]
    agents: frozenset[str] | None = None
    rooms: frozenset[str] | None = None
    expires_at: Micros | None = None
    id: str = field(default_factory=new_key_id)
    principal: Principal | None = None
    """Whose it is to be, of a device's or a person's grant."""


def attenuate(holder: Grant, wanted: Wanted) -> Grant:
    """Return the grant that `holder` passes on: nothing in it exceeds the holder's own.

    Scopes, agents and rooms beyond the holder's are refused, so that nobody gets less than was asked for without a
    word; an end after the holder's is drawn forward to it.

    Raises:
        InstarError: `forbidden`, naming what the holder lacks.
    """
    if excess := wanted.scopes - reach(holder):
        raise InstarError("forbidden", f"needs scope {', '.join(sorted(excess))} to pass it on")
    ends = [end for end in (holder.expires_at, wanted.expires_at) if end is not None]
    agents = _agents(holder, wanted)
    return Grant(
        id=wanted.id,
        principal=_principal(holder, wanted, agents),
        kind=wanted.kind,
        scopes=wanted.scopes,
        agents=agents,
        rooms=_rooms(holder, wanted.rooms),
        expires_at=min(ends) if ends else None,
        parent=holder.id,
    )


def confine(grant: Grant, scopes: frozenset[Scope]) -> Grant:
    """Return the grant as a connection uses it that asked for these scopes only: the same grant, never a wider one."""
    return replace(grant, scopes=reach(grant) & scopes)


def is_within(inner: Grant, holder: Grant) -> bool:
    """Whether `inner` is no wider than `holder` in scopes, agents and rooms. When either ends is left out."""
    return (
        inner.scopes <= reach(holder)
        and (Scope.ADMIN in holder.scopes or holder.agents is None or _within(inner.agents, holder.agents))
        and (Scope.ADMIN in holder.scopes or inner.agents is None or inner.agents <= (holder.agents or frozenset()))
        and _within(inner.rooms, holder.rooms)
    )


def outlives(inner: Grant, holder: Grant) -> bool:
    """Whether `inner` ends after `holder`."""
    return holder.expires_at is not None and (inner.expires_at is None or inner.expires_at > holder.expires_at)


def reach(holder: Grant) -> frozenset[Scope]:
    """Return what the holder may pass on or use; admin implies observe."""
    return holder.scopes | {Scope.OBSERVE} if Scope.ADMIN in holder.scopes else holder.scopes


def _within(inner: frozenset[str] | None, outer: frozenset[str] | None) -> bool:
    """Whether a set lies in another, where None is everything."""
    return outer is None or (inner is not None and inner <= outer)


def _agents(holder: Grant, wanted: Wanted) -> frozenset[str] | None:
    """Narrow the agents. Naming one is speaking for it, so None (none by name) does not hold every name.

    An admin may name any agent, for it may hand out agents as it likes. Others name only what they are named for,
    and pass on the right to claim unused ids (None) only if they have it.
    """
    if any(is_reserved(agent) for agent in wanted.agents or ()):
        raise InstarError(
            "forbidden", "a key cannot name an id that no agent may bear", hint="Choose another agent id."
        )
    if Scope.ADMIN in holder.scopes:
        return wanted.agents
    if wanted.agents is None:
        return None if holder.agents is None else frozenset()
    if excess := wanted.agents - (holder.agents or frozenset()):
        raise InstarError("forbidden", f"needs a grant that names agent {', '.join(sorted(excess))}, or scope admin")
    return wanted.agents


def _rooms(holder: Grant, wanted: frozenset[str] | None) -> frozenset[str] | None:
    if holder.rooms is None or wanted is None:
        return holder.rooms if wanted is None else wanted
    if excess := wanted - holder.rooms:
        raise InstarError("forbidden", f"needs a grant that reaches room {', '.join(sorted(excess))}")
    return wanted


def _principal(holder: Grant, wanted: Wanted, agents: frozenset[str] | None) -> Principal:
    """Return whose the new grant is: a session's is its holder's, an agent token's the agent's, a key is its own.

    A device's or a person's is named.
    """
    if wanted.kind == "session":
        return holder.principal
    if wanted.kind in ("device", "person"):
        if wanted.principal is None:
            raise InstarError("bad_request", f"a {wanted.kind}'s grant names its principal")
        return wanted.principal
    if wanted.kind == "key":
        return Principal(wanted.id, PrincipalKind.SERVICE, wanted.name)
    if agents is None or len(agents) != 1:
        raise InstarError("bad_request", "an agent token names exactly one agent")
    return Principal(next(iter(agents)), PrincipalKind.AGENT, wanted.name)
