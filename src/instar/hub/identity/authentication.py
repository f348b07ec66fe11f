"""The one `authenticate`: a credential becomes a caller here and nowhere else."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.wire.identity import Scope
from instar.wire.limits import TOKEN_MAX_CHARS

from .keyring import Keyring
from .lockout import Lockout
from .policy import AuthPolicy
from .principals import Caller
from .roots import anonymous_anywhere, anonymous_here


@dataclass(frozen=True, slots=True)
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

    token: str = ""
    password: str = ""
    """The gateway's shared password."""
    signed: Signed | None = None
    """A device's proof of its key."""
    role: str = ""
    """What a device connects as (`wire.devices.Role`); empty: this is no connection of a device's dialect."""
    scopes: frozenset[Scope] | None = None
    """What the connection wants to use; None: all that the credential has. It can only narrow."""
    vouched_for: str = ""
    """Login of the person whom a trusted proxy or the tailnet names."""
    is_local: bool = False
    """Loopback (or a Unix socket), no forwarding header, no browser Origin but the hub's own."""
    peer: str = ""
    """Address of the client."""
    has_origin: bool = False
    """Whether a browser sent it."""


class Authenticator:
    """Looks tokens up by their hash, so that no comparison takes longer the nearer a guess comes.

    Args:
        keyring: The grants that hold.
        policy: What is granted without a credential.
        lockout: Who guessed too often.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self, keyring: Keyring, policy: AuthPolicy, lockout: Lockout, clock: Callable[[], Micros] = now
    ) -> None:
        self._keyring = keyring
        self._policy = policy
        self._lockout = lockout
        self._clock = clock
        self._here = Caller(anonymous_here(), is_local=True)
        self._anywhere = Caller(anonymous_anywhere())
        self.used: dict[str, Micros] = {}
        """When each grant was last presented, since `Identity.flush` wrote it down."""

    def authenticate(self, credential: Credential) -> Caller:
        """Return who presents this credential.

        A wrong one is never taken for none. Only this machine's own requests are exempt from the lock.

        Raises:
            InstarError: `unauthorized` when the credential is wrong, or missing where one is needed;
                `rate_limited` when the address is locked.
        """
        if not credential.token:
            return self._unnamed(credential)
        is_exempt = credential.is_local and not credential.has_origin
        if not is_exempt and (wait_s := self._lockout.wait_s(credential.peer)):
            raise InstarError(
                "rate_limited", "too many wrong credentials came from this address", retry_after_s=round(wait_s, 3)
            )
        token = credential.token[: TOKEN_MAX_CHARS + 1].encode("utf-8", "surrogatepass")
        holding = self._keyring.by_token.get(hashlib.sha256(token).hexdigest())
        at = self._clock()
        if holding is None or (holding.grant.expires_at is not None and holding.grant.expires_at <= at):
            if not is_exempt:
                self._lockout.failed(credential.peer)
            raise InstarError("unauthorized", "the credential is wrong, was revoked or has expired")
        self.used[holding.grant.id] = at
        return holding.near if credential.is_local else holding.far

    def visitor(self) -> Caller:
        """Return the caller without any right, for the operations that need no credential."""
        return self._anywhere

    def _unnamed(self, credential: Credential) -> Caller:
        """Return who presents nothing."""
        if self._policy.mode == "none" and credential.is_local:
            return self._here
        if self._policy.admits_anonymous:
            return self._anywhere
        raise InstarError("unauthorized", "the request carries no credential")
