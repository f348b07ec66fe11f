"""Handlers of `ssh.*` that dial out: the connectivity test, the scan, and pins."""

import secrets
from time import monotonic

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.store.seam import Store, Transaction
from instar.wire import ssh as wire
from instar.wire.ssh import ScannedHost, ScannedKey, SshTarget, SshTest

from . import records
from .destinations import DEFAULT_PORT, Destination, parse_destination
from .failures import HINTS, ConnectError, Failure, Refusal
from .handlers import Handlers, pin_lines, repinned, stored_target
from .host_keys import HostKey
from .inventory import Located
from .reaching import Reach

_NOT_PINNED = "it answered; no host key is pinned, so the account's own ssh configuration decides whom it believes"


class Trying:
    """What callers may try with hosts.

    Args:
        store: Where the outcome is kept.
        reach: How hosts are reached.
        handlers: What finds and changes targets.
    """

    def __init__(self, store: Store, reach: Reach, handlers: Handlers) -> None:
        self._store = store
        self._reach = reach
        self._handlers = handlers

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.TEST, self.test, self._handlers.locate),
            bind(wire.SCAN, self.scan),
            bind(wire.PIN, self.pin, self._handlers.locate),
        )

    async def test(self, act: Act[wire.TargetRef, Located]) -> SshTest:
        """Try to reach a target as a call would; what was found is kept with it.

        A host that shows another key than the pinned one is blocked by it.
        """
        located = act.object
        act.audit_subject = located.record.id
        began = monotonic()
        refusal: Refusal | None = None
        try:
            await self._reach.probe(located, secrets.token_hex(8))
        except ConnectError as error:
            refusal = error.refusal
        found = _test_of(located, refusal, monotonic() - began)

        async def work(tx: Transaction) -> SshTest:
            stored = await stored_target(tx, located.record.id)
            tested = msgspec.structs.replace(stored, last_test=found)
            if refusal is not None and refusal.failure is Failure.HOST_KEY_CHANGED:
                tested = blocked(tested, located, refusal.fingerprint)
            await records.put(tx, tested, act.caller.principal.id)
            return found

        return await act.transact(work, SshTest)

    async def scan(self, act: Act[wire.ScanHost, None]) -> ScannedHost:
        """Ask a host for its keys. Whoever sits on the way may answer: compare the fingerprints.

        Raises:
            InstarError: `unprocessable_entity` for the address; `ssh_failed` when it shows none.
        """
        destination = parse_destination(act.params.address, act.params.port)
        act.audit_subject = destination.known_as
        place, keys = await self._shown(destination)
        lines = [ScannedKey(key.kind, key.fingerprint, key.line(place.known_as)) for key in keys]
        return ScannedHost(place.host, place.port or DEFAULT_PORT, lines)

    async def pin(self, act: Act[wire.PinHost, Located]) -> SshTarget:
        """Pin host keys, instead of those that were pinned before; a block ends.

        Raises:
            InstarError: `unprocessable_entity`: neither lines nor a fingerprint, or lines that cannot be pinned;
                `conflict`: a scan shows no key of that fingerprint; `ssh_failed`.
        """
        body, located = act.params, act.object
        if body.known_host:
            lines = pin_lines(body.known_host, located.destination, located.record.mode)
        elif body.fingerprint:
            lines = await self._scanned(located, body.fingerprint)
        else:
            raise InstarError(
                "unprocessable_entity", "there is nothing to pin",
                hint="Give a known_hosts line, or the fingerprint that you compared.",
            )  # fmt: skip
        return await self._handlers.change(act, lambda stored: repinned(stored, lines))

    async def _scanned(self, located: Located, fingerprint: str) -> str:
        place, keys = await self._shown(located.destination)
        found = [key for key in keys if key.fingerprint == fingerprint]
        if not found:
            shown = ", ".join(key.fingerprint for key in keys)
            raise InstarError(
                "conflict", f"the host shows no key with this fingerprint now; it shows {shown}",
                hint="Do not pin what you cannot explain: somebody may sit on the way.",
            )  # fmt: skip
        return found[0].line(place.known_as)

    async def _shown(self, destination: Destination) -> tuple[Destination, list[HostKey]]:
        try:
            return await self._reach.scan(destination)
        except ConnectError as error:
            raise error.refusal.error(destination.known_as) from error


def blocked(stored: records.TargetRecord, located: Located, fingerprint: str) -> records.TargetRecord:
    """Return the target blocked for the key that it showed, unless its pin was changed since it was dialled."""
    if stored.known_host != located.record.known_host:
        return stored
    return msgspec.structs.replace(stored, is_blocked=True, blocked_fingerprint=fingerprint or "unknown")


def _test_of(located: Located, refusal: Refusal | None, duration_s: float) -> SshTest:
    at = to_rfc3339(now())
    if refusal is None:
        return SshTest(True, at, message="it answered" if located.pins else _NOT_PINNED, duration_s=duration_s)
    hint = HINTS[refusal.failure].format(label=located.record.label)
    return SshTest(False, at, str(refusal.failure), refusal.message, hint, duration_s)
