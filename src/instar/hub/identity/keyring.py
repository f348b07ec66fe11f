"""The grants that hold now, by token and by id: a projection of `key.*` events, never older than the log."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from instar.base.clock import Micros, from_rfc3339, to_rfc3339
from instar.wire.events import Event
from instar.wire.identity import Principal, PrincipalKind, Scope

from .credentials import Credential
from .grant_table import StoredGrant
from .principals import Caller, Grant, GrantKind

ROTATED = "rotated"
"""Reason of a `key.revoked` that ends a token, not its grant: a `key.created` with the new one follows."""

EXPIRED = "expired"
"""Reason that a watcher hears when a grant's time has come."""

Watcher = Callable[[str], None]
"""Hears why a grant ended. Called on the event loop; it must not block and must not raise."""


class KeyEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of `key.created` and `key.revoked`. It never holds a token, only the hash to know one by."""

    key_id: str
    principal: str
    name: str
    kind: GrantKind
    scopes: list[Scope]
    principal_kind: PrincipalKind
    principal_name: str = ""
    agents: list[str] | None = None
    rooms: list[str] | None = None
    parent: str = ""
    prefix: str = ""
    token_hash: str = ""
    expires_at: str = ""
    reason: str = ""


def event_of(stored: StoredGrant, reason: str = "") -> KeyEvent:
    """Return the payload that says what became of a grant."""
    grant = stored.grant
    return KeyEvent(
        key_id=grant.id,
        principal=grant.principal.id,
        name=stored.name,
        kind=grant.kind,
        scopes=sorted(grant.scopes),
        principal_kind=grant.principal.kind,
        principal_name=grant.principal.name,
        agents=None if grant.agents is None else sorted(grant.agents),
        rooms=None if grant.rooms is None else sorted(grant.rooms),
        parent=grant.parent,
        prefix=stored.prefix,
        token_hash=stored.token_hash,
        expires_at="" if grant.expires_at is None else to_rfc3339(grant.expires_at),
        reason=reason,
    )


def _grant_of(event: KeyEvent) -> Grant:
    return Grant(
        id=event.key_id,
        principal=Principal(event.principal, event.principal_kind, event.principal_name),
        kind=event.kind,
        scopes=frozenset(event.scopes),
        agents=None if event.agents is None else frozenset(event.agents),
        rooms=None if event.rooms is None else frozenset(event.rooms),
        expires_at=from_rfc3339(event.expires_at) if event.expires_at else None,
        parent=event.parent,
    )


@dataclass(frozen=True, slots=True)
class Holding:
    """A grant that holds, with the callers that its token makes: ready before it is presented."""

    grant: Grant
    token_hash: str
    direct: Caller
    """From this machine, and not from a browser."""
    near: Caller
    """From this machine."""
    far: Caller

    def caller(self, credential: Credential) -> Caller:
        """Return who presents the token in this way."""
        if credential.is_local:
            return self.near if credential.has_origin else self.direct
        return self.far


class Keyring:
    """Token hash → grant. Changed only on the event loop: at load and by the pump."""

    def __init__(self) -> None:
        self.by_token: dict[str, Holding] = {}
        self._by_id: dict[str, Holding] = {}
        self._ends: list[tuple[Micros, str]] = []
        self._listeners: list[Callable[[str], None]] = []
        self._watchers: dict[str, set[Watcher]] = {}

    def get(self, grant_id: str) -> Grant | None:
        """Return the grant with this id if it holds."""
        holding = self._by_id.get(grant_id)
        return holding.grant if holding else None

    def on_ended(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each grant that is revoked or expires, or whose token is replaced."""
        self._listeners.append(listener)

    def watch(self, grant_id: str, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with the reason when this grant ends or its token is replaced. Return the way to stop it."""
        self._watchers.setdefault(grant_id, set()).add(watcher)

        def stop() -> None:
            watchers = self._watchers.get(grant_id, set())
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(grant_id, None)

        return stop

    def load(self, grants: Iterable[StoredGrant]) -> None:
        """Take the grants that the table holds at start."""
        for stored in grants:
            self._add(stored.grant, stored.token_hash)

    def created(self, event: Event) -> None:
        """Apply `key.created`."""
        payload = msgspec.json.decode(event.payload, type=KeyEvent)
        self._add(_grant_of(payload), payload.token_hash)

    def revoked(self, event: Event) -> None:
        """Apply `key.revoked`."""
        payload = msgspec.json.decode(event.payload, type=KeyEvent)
        self._end(payload.key_id, payload.reason)

    def lend(self, grant: Grant, token_hash: str) -> None:
        """Let a grant hold that no table keeps: it ends with `take_back`, and with the process."""
        self._add(grant, token_hash)

    def take_back(self, grant_id: str) -> None:
        """End a grant that was lent. An unknown one is no error."""
        self._end(grant_id, "taken back")

    def expire_due(self, at: Micros) -> None:
        """End the grants whose time has come."""
        while self._ends and self._ends[0][0] <= at:
            due, grant_id = heapq.heappop(self._ends)
            holding = self._by_id.get(grant_id)
            if holding is not None and holding.grant.expires_at == due:
                self._end(grant_id, EXPIRED)

    def _add(self, grant: Grant, token_hash: str) -> None:
        if (former := self._by_id.get(grant.id)) is not None:
            del self.by_token[former.token_hash]
        direct = Caller(grant, is_local=True, is_direct=True)
        holding = Holding(grant, token_hash, direct, Caller(grant, is_local=True), Caller(grant))
        self.by_token[token_hash] = self._by_id[grant.id] = holding
        if grant.expires_at is not None:
            heapq.heappush(self._ends, (grant.expires_at, grant.id))

    def _end(self, grant_id: str, reason: str) -> None:
        holding = self._by_id.pop(grant_id, None)
        if holding is None:
            return
        del self.by_token[holding.token_hash]
        for listener in self._listeners:
            listener(grant_id)
        for watcher in tuple(self._watchers.get(grant_id, ())):
            watcher(reason)
