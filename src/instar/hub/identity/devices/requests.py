"""Pairing requests: how one is made of an ask, what its digest fixes, and the projection of those that wait."""

import asyncio
import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import asdict, replace

from instar.base.clock import MICROS_PER_S, Micros, from_rfc3339, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.wire.devices import Facts, PairingReason, PairingRequest, PairingState, Role
from instar.wire.events import Event
from instar.wire.identity import Scope
from instar.wire.limits import PAIRING_REQUEST_S
from instar.wire.names import is_id
from instar.wire.signatures import device_id, fingerprint, to_base64url

_WORD_MAX_CHARS = 128
_ASKED_MAX = 64
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that change what a reader sees, or are none."""


@dataclass(frozen=True, slots=True)
class PairingAsk:
    """What a device asks for, as a door read it."""

    role: Role
    scopes: frozenset[Scope]
    facts: Facts = field(default_factory=Facts)
    asked: tuple[str, ...] = ()
    """The scopes in the words of the dialect, in the order in which they were signed."""
    alias: str = ""
    """The id that the dialect knows the device by, if not its own."""
    dialect: str = ""
    """What it speaks: `instar`, `openclaw` or `moltis`."""
    address: str = ""


def shown(text: str) -> str:
    """Return a word of a stranger as people may be shown it: one line, nothing that hides or turns the rest."""
    seen = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in text)
    return " ".join(seen.split())[:_WORD_MAX_CHARS]


def shown_facts(facts: Facts) -> Facts:
    """Return what a device says of itself as people may be shown it."""
    return Facts(**{name: shown(word) for name, word in asdict(facts).items()})


def check_role(role: Role, scopes: frozenset[Scope]) -> None:
    """Let scopes pass that a device in this role can have.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    is_fit = scopes <= {Scope.NODE} if role is Role.NODE else Scope.NODE not in scopes
    if not is_fit:
        raise InstarError(
            "unprocessable_entity",
            f"a device in role {role} cannot have these scopes",
            hint="A node has the scope `node` alone; an operator every other.",
        )


def check_ask(ask: PairingAsk, own_id: str) -> None:
    """Let an ask pass that makes sense.

    Raises:
        InstarError: `unprocessable_entity` for scopes that the role cannot have, or an alias that is no id.
    """
    check_role(ask.role, ask.scopes)
    if ask.alias and not is_id(ask.alias):
        raise InstarError("unprocessable_entity", "the device's name in its dialect is no id")
    if len(ask.alias) == len(own_id) and ask.alias != own_id and set(ask.alias) <= set("0123456789abcdef"):
        raise InstarError("unprocessable_entity", "the device's name in its dialect looks like another device's id")


def new_request(
    public_key: bytes, ask: PairingAsk, reason: PairingReason, at: Micros, *, known: bool
) -> PairingRequest:
    """Return the request that stands for an ask; its digest is over all that an approver decides on."""
    scopes = {Scope.NODE} if ask.role is Role.NODE else ask.scopes
    request = PairingRequest(
        id=new_id("pair"),
        device_id=device_id(public_key),
        facts=shown_facts(ask.facts),
        role=ask.role,
        scopes=sorted(scopes),
        state=PairingState.PENDING,
        created_at=to_rfc3339(at),
        expires_at=to_rfc3339(Micros(at + int(PAIRING_REQUEST_S * MICROS_PER_S))),
        digest="",
        fingerprint=fingerprint(public_key),
        public_key=to_base64url(public_key),
        alias="" if ask.alias == device_id(public_key) else ask.alias,
        dialect=shown(ask.dialect),
        asked=[shown(word) for word in ask.asked[:_ASKED_MAX]],
        address=shown(ask.address),
        reason=reason,
        is_repair=known,
    )
    return replace(request, digest=digest_of(request))


def digest_of(request: PairingRequest) -> str:
    """Return the SHA-256 in hex of what an approver of this request decides on."""
    return hashlib.sha256(msgspec.json.encode((request.id, *_substance(request)))).hexdigest()


def asks_the_same(one: PairingRequest, other: PairingRequest) -> bool:
    """Whether two requests differ in nothing that an approver decides on."""
    return _substance(one) == _substance(other)


def _substance(request: PairingRequest) -> tuple[object, ...]:
    return (
        request.device_id, request.public_key, request.facts, request.alias, request.role, request.scopes,
        request.asked,
    )  # fmt: skip


class PendingRequests:
    """The requests that wait. Changed only on the event loop, by appliers and at load."""

    def __init__(self) -> None:
        self._pending: dict[str, PairingRequest] = {}
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def load(self, requests: Iterable[PairingRequest]) -> None:
        """Take the requests that the table holds at start."""
        self._pending = {request.id: request for request in requests}

    def requested(self, event: Event) -> None:
        """Apply `device.requested`."""
        request = msgspec.json.decode(event.payload, type=PairingRequest)
        self._pending[request.id] = request

    def resolved(self, event: Event) -> None:
        """Apply `device.resolved`: whoever waits for the decision is woken."""
        request = msgspec.json.decode(event.payload, type=PairingRequest)
        self._pending.pop(request.id, None)
        for waiter in self._waiters.pop(request.id, ()):
            waiter.set_result(None)

    def all(self) -> list[PairingRequest]:
        """Return the requests that wait, oldest first."""
        return list(self._pending.values())

    def due(self, at: Micros) -> list[PairingRequest]:
        """Return those whose time is over."""
        return [request for request in self._pending.values() if from_rfc3339(request.expires_at) <= at]

    async def decided(self, request_id: str, timeout_s: float) -> None:
        """Wait until a request waits no more, or until the time is over. It may be over already."""
        if request_id not in self._pending or timeout_s <= 0:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(request_id, set()).add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=timeout_s)
        finally:
            self._forget(request_id, waiter)

    def _forget(self, request_id: str, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiters.get(request_id, set())
        waiters.discard(waiter)
        if not waiters:
            self._waiters.pop(request_id, None)
