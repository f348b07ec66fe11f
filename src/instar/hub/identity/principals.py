"""Grants and callers: what `authenticate` gives and `may` asks."""

from dataclasses import dataclass
from typing import Literal

from instar.base.clock import Micros
from instar.wire.identity import Principal, PrincipalKind, Scope

GrantKind = Literal["local", "key", "agent", "session", "device", "person", "shared", "anonymous"]


@dataclass(frozen=True, slots=True)
class Grant:
    """A revocable right of a principal; made only by `attenuate`."""

    id: str
    principal: Principal
    kind: GrantKind
    scopes: frozenset[Scope]
    agents: frozenset[str] | None = None
    """Agent ids that it speaks for; None: those that registered with it, and unclaimed ids where allowed."""
    rooms: frozenset[str] | None = None
    """Room ids that it is confined to; None: every room its scopes reach."""
    expires_at: Micros | None = None
    parent: str = ""

    def has_ended(self, at: Micros) -> bool:
        """Whether its time is over; one that was revoked is in no keyring."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated (or, where the mode allows it, anonymous) party to one request or socket.

    Only `Authenticator.authenticate` makes one.
    """

    grant: Grant
    is_local: bool = False
    is_direct: bool = False
    """Whether it comes from this machine and not from a browser."""

    @property
    def principal(self) -> Principal:
        """Who the caller is."""
        return self.grant.principal

    @property
    def is_anonymous(self) -> bool:
        """Whether no credential was presented."""
        return self.grant.kind == "anonymous"

    def has(self, *scopes: Scope) -> bool:
        """Whether the grant holds one of `scopes`."""
        return not self.grant.scopes.isdisjoint(scopes)


LOCAL_OPERATOR = Principal("operator", PrincipalKind.OPERATOR, "Operator")
ANONYMOUS = Principal("anonymous", PrincipalKind.ANONYMOUS, "")
GATEWAY = Principal("gateway", PrincipalKind.SERVICE, "Gateway")
"""Who presents the gateway's shared secret and no device."""


RESERVED_IDS = frozenset({"operator", "anonymous", "system", "gateway"})
"""Ids that no agent and no key may bear: they name principals of the hub itself."""

KEY_ID_PREFIX = "key_"
"""What a key's id, and so the id of its principal, begins with."""
DEVICE_ID_PREFIX = "dev_"
"""What the id of a device's principal begins with; the device's id follows."""
PERSON_ID_PREFIX = "usr_"
"""What a person's id begins with."""
SCHEDULE_ID_PREFIX = "sch_"
"""What a schedule's id begins with: it is the sender of what it says."""
_PRINCIPALS = (KEY_ID_PREFIX, DEVICE_ID_PREFIX, PERSON_ID_PREFIX, SCHEDULE_ID_PREFIX)


def is_reserved(agent_id: str) -> bool:
    """Whether no agent of this network may be called so.

    The id names a principal of the hub, a key, a device, a person or a schedule; or it holds a colon and would be
    taken for a member of another network, `net:id`.
    """
    return agent_id in RESERVED_IDS or ":" in agent_id or agent_id.startswith(_PRINCIPALS)
