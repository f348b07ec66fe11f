"""How a device asks to be let in: whether it may, what it asks for, and whether the hub lets it in by itself."""

from collections.abc import Callable
from dataclasses import dataclass

from instar.base.buckets import Buckets
from instar.base.clock import Micros, from_rfc3339
from instar.base.errors import InstarError
from instar.hub.identity.attenuation import reach
from instar.hub.identity.notices import Notice, record
from instar.hub.identity.policy import AuthPolicy, PairingPolicy
from instar.hub.identity.principals import Grant
from instar.hub.identity.roots import local_root
from instar.store.seam import Store, Transaction
from instar.wire.devices import Device, Facts, PairingReason, PairingRequest, PairingState, Role
from instar.wire.identity import Scope
from instar.wire.limits import PAIRING_PENDING_MAX
from instar.wire.signatures import device_id

from . import deciding, refusals, request_table
from .admission import Given
from .events import say
from .pins import Pins
from .registry import Registry
from .requests import PairingAsk, asks_the_same, check_ask, new_request, shown
from .window import Window

_ASKING_KINDS = ("local", "key", "session", "person")
"""Grants whose holder may bring a device along while the window is closed."""
_CHANGES_PER_MIN = 10
"""Of what one device asks for: each is written down for good."""


@dataclass(frozen=True, slots=True)
class Asker:
    """What an asker presented besides its key."""

    grant: Grant | None = None
    """Of the token, where it is one that the hub gave out."""
    has_secret: bool = False
    """Whether it presented the right shared secret."""
    is_direct: bool = False
    """Whether it comes from this machine and not from a browser."""


def lack(
    registry: Registry, device: Device | None, role: Role, scopes: frozenset[Scope], facts: Facts | None
) -> PairingReason | None:
    """Return why a device would have to ask; None when it has all of it.

    Args:
        registry: The devices and their grants.
        device: The device as it is known; None: it is unknown.
        role: What it connects as.
        scopes: What it wants to use.
        facts: What it says of itself; None: not looked at.
    """
    if device is None:
        return PairingReason.NOT_PAIRED
    grant = registry.grant(device, role)
    if grant is None:
        return PairingReason.ROLE
    if not scopes <= reach(grant):
        return PairingReason.SCOPES
    return PairingReason.FACTS if facts is not None and _machine(facts) != _machine(device.facts) else None


class Asking:
    """Takes pairing requests.

    Args:
        store: Where they are kept.
        registry: The devices.
        pins: Which names are pinned to which keys.
        window: Whether unknown ones may ask.
        auth: Whether there is a shared secret.
        policy: Which devices are let in without a person.
        clock: Wall-clock time.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        pins: Pins,
        window: Window,
        auth: AuthPolicy,
        policy: PairingPolicy,
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._registry = registry
        self._pins = pins
        self._window = window
        self._auth = auth
        self._policy = policy
        self._clock = clock
        self._changes = Buckets(_CHANGES_PER_MIN / 60, _CHANGES_PER_MIN)

    async def ask(self, key: bytes, ask: PairingAsk, asker: Asker, facts: Facts | None = None) -> PairingRequest:
        """Take the ask of the device that proved this key; a repeat of one that waits is that one.

        It comes back approved when the hub lets the device in by itself.

        Raises:
            InstarError: `not_paired` (cause `pairing_closed`), `overloaded` when too many wait, `rate_limited` when the
                device asks for something else again and again, `device_revoked`, `key_mismatch`, `conflict` when the
                device has all that it asks for.
        """
        own_id = device_id(key)
        check_ask(ask, own_id)
        device = self._registry.get(own_id)
        if device is not None and device.revoked_at:
            raise refusals.revoked(device)
        self._pins.check(ask.alias, key, ask.address)
        reason = lack(self._registry, device, ask.role, ask.scopes, facts)
        if reason is None:
            raise InstarError("conflict", "the device has been let in for all of this", hint="Sign in with its key.")
        at = self._clock()
        request = new_request(key, ask, reason, at, known=device is not None)
        is_silent = self._is_silent(asker)
        may_ask = is_silent or device is not None or self._window.is_open or _is_admitted(asker)

        async def work(tx: Transaction) -> PairingRequest:
            pending = await request_table.pending(tx)
            mine = next((each for each in pending if each.device_id == own_id), None)
            if mine is not None and asks_the_same(mine, request) and from_rfc3339(mine.expires_at) > at:
                return await self._approve_silently(tx, mine, at) if is_silent else mine
            if not may_ask:
                raise refusals.pairing_closed(key)
            if mine is not None:
                self._pace(own_id)
                await deciding.settle(tx, mine, PairingState.SUPERSEDED, at)
            elif sum(from_rfc3339(each.expires_at) > at for each in pending) >= PAIRING_PENDING_MAX:
                raise InstarError(
                    "overloaded",
                    f"{PAIRING_PENDING_MAX} pairing requests wait already",
                    hint="Approve or reject some with `instar devices`, then try again.",
                )
            await request_table.insert(tx, request)
            await say(tx, "device.requested", request, at)
            return await self._approve_silently(tx, request, at) if is_silent else request

        return await self._store.transact(work)

    def _pace(self, device_id: str) -> None:
        if wait_s := self._changes.take(device_id):
            raise InstarError(
                "rate_limited", "the device asks for something else too often", retry_after_s=wait_s,
                detail={"cause": "rate_limited"},
            )  # fmt: skip

    def _is_silent(self, asker: Asker) -> bool:
        """Whether the hub lets this device in by itself, as `pairing.auto_approve` says."""
        if not asker.is_direct or self._policy.auto_approve == "off":
            return False
        if asker.grant is not None and asker.grant.kind == "local":
            return True
        has_secret = asker.has_secret or not self._auth.has_shared_secret
        return self._policy.auto_approve == "loopback" and has_secret

    async def _approve_silently(self, tx: Transaction, request: PairingRequest, at: Micros) -> PairingRequest:
        """Let the device in in the local operator's name: never with the right to make keys."""
        root, asked = local_root(), frozenset(request.scopes)
        given = Given(request.role, asked - {Scope.KEYS}, withheld=asked & {Scope.KEYS})
        await deciding.approve(tx, request, root, given, at, is_silent=True)
        notice = Notice(
            operation="devices.approve",
            principal=root.principal.id,
            grant=root.id,
            subject=request.id,
            detail=f"pairing.auto_approve is {self._policy.auto_approve}",
        )
        await record(tx, notice, at)
        return await request_table.find(tx, request.id) or request


def _is_admitted(asker: Asker) -> bool:
    """Whether the asker may bring an unknown device along while the window is closed."""
    return asker.has_secret or (asker.grant is not None and asker.grant.kind in _ASKING_KINDS)


def _machine(facts: Facts) -> tuple[str, str]:
    """Return what kind of machine this is, as far as a changed one has to be approved."""
    return shown(facts.platform).lower(), shown(facts.family).lower()
