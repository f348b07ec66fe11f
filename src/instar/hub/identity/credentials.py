"""What a carrier found on a request or in a first frame, before anybody has judged it."""

from dataclasses import dataclass, field

from instar.wire.devices import Facts
from instar.wire.identity import Scope


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Signed:
    """What a device says that it signed. `Authenticator` verifies it, and nobody else does."""

    public_key: bytes
    signature: bytes
    messages: tuple[bytes, ...]
    """The payloads of the dialect's generations, any one of which may be what was signed. Every one of them is bound
    to role and scopes, and to a nonce of this connection where the dialect has one."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a carrier found on a request, whichever way it came: header, cookie or first frame."""

    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    """The gateway's shared password."""
    signed: Signed | None = None
    """A device's proof of its key."""
    role: str = ""
    """What a device connects as (`wire.devices.Role`); empty: this is no connection of a device's dialect."""
    scopes: frozenset[Scope] | None = None
    """What the connection wants to use; None: all that the credential has. It can only narrow."""
    also: frozenset[Scope] = frozenset()
    """What it uses besides where the credential has it; a device without it is not asked to be let in for more."""
    vouched_for: str = ""
    """Login of the person whom a trusted proxy or the tailnet names."""
    is_local: bool = False
    """Loopback (or a Unix socket), no forwarding header, no browser Origin but the hub's own."""
    peer: str = ""
    """Address of the client."""
    has_origin: bool = False
    """Whether a browser sent it."""
    dialect: str = ""
    """What a device speaks, as in `PairingAsk`; `moltis` knows no credential but the key."""
    alias: str = ""
    """The id that the dialect knows the device by, if not its own."""
    facts: Facts | None = None
    """What the device says of itself, where its dialect signs that: another platform has to be approved."""

    @property
    def is_direct(self) -> bool:
        """Whether it comes from this machine and not from a browser."""
        return self.is_local and not self.has_origin
