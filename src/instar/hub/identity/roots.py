"""The grants that nobody passed on. All others come of `attenuate`."""

from dataclasses import replace

from instar.wire.identity import Principal, PrincipalKind, Scope

from .policy import AuthPolicy
from .principals import ANONYMOUS, GATEWAY, LOCAL_OPERATOR, Caller, Grant

LOCAL_GRANT_ID = "local"
ANONYMOUS_GRANT_ID = "anonymous"
SHARED_GRANT_ID = "shared"

_ANYBODY_HERE = frozenset((Scope.OBSERVE, Scope.WRITE, Scope.ATTACH, Scope.ADMIN))
"""What mode `none` gives to who connects from this machine: never keys, never operate."""

AGENT_SCOPES = frozenset((Scope.WRITE, Scope.ATTACH))
"""What an agent token holds."""


def local_root() -> Grant:
    """Return the local operator's grant: every scope. Who can read its file owns the hub."""
    return Grant(LOCAL_GRANT_ID, LOCAL_OPERATOR, "local", frozenset(Scope))


def shared_root() -> Grant:
    """Return the grant of who presents the gateway's shared secret on this machine: everything but keys.

    It holds `node` to let nodes in with; nobody is a node by it, for a node has a device.
    """
    return Grant(SHARED_GRANT_ID, GATEWAY, "shared", frozenset(Scope) - {Scope.KEYS})


def anonymous_here() -> Grant:
    """Return what mode `none` grants to who connects from this machine."""
    somebody = Principal(ANONYMOUS.id, PrincipalKind.ANONYMOUS, "Anonymous")
    return Grant(ANONYMOUS_GRANT_ID, somebody, "anonymous", _ANYBODY_HERE)


def anonymous_anywhere() -> Grant:
    """Return the grant of who presents no credential: no scope."""
    return Grant(ANONYMOUS_GRANT_ID, ANONYMOUS, "anonymous", frozenset())


def sponsor(caller: Caller, agent_id: str, policy: AuthPolicy) -> Grant:
    """Return the grant that an agent's token is narrowed from, once `may` has let the caller register the agent.

    It is the caller's own with the agent's name in it, for who registers an agent speaks for it. Where registration
    is open, the hub itself stands in for a caller without credential: for this one agent, to write and attach.
    """
    if caller.is_anonymous and policy.registration == "open":
        return Grant(ANONYMOUS_GRANT_ID, ANONYMOUS, "anonymous", AGENT_SCOPES, frozenset((agent_id,)))
    return replace(caller.grant, agents=(caller.grant.agents or frozenset()) | {agent_id})
