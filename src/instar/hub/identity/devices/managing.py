"""Handlers of what operators do to devices: decide on requests, rename, rotate, revoke, remove; window and codes."""

from collections.abc import Callable

from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S, Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.attenuation import attenuate
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller, Grant
from instar.store.seam import Store, Transaction
from instar.wire import devices as wire
from instar.wire.limits import PAIRING_PENDING_MAX
from instar.wire.operation import Nothing

from . import changing, codes, deciding, table
from .admission import Given, wanted_of
from .hub_key import HubKey
from .registry import KnownDevice, Registry
from .requests import PendingRequests, check_role
from .window import Window

Lender = Callable[[Grant], Grant]
"""The grant that a session came of, else the grant itself."""


class Managing:
    """What callers may do who hold scope `devices`, each within their own grant.

    Args:
        lender: See `Lender`.
        used: When each grant was last presented, as far as the table has not seen it.
    """

    def __init__(
        self,
        store: Store,
        hub_key: HubKey,
        registry: Registry,
        pending: PendingRequests,
        window: Window,
        lender: Lender,
        used: dict[str, Micros],
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._hub_key = hub_key
        self._registry = registry
        self._pending = pending
        self._window = window
        self._lender = lender
        self._used = used
        self._clock = clock
        self.reach: Callable[[], wire.Reach] = wire.Reach
        """How other machines reach the hub; told by whoever listens."""

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.LIST, self.list),
            bind(wire.GET, self.get, self._locate),
            bind(wire.REQUESTS, self.requests),
            bind(wire.APPROVE, self.approve),
            bind(wire.REJECT, self.reject),
            bind(wire.RENAME, self.rename, self._locate),
            bind(wire.ROTATE, self.rotate, self._locate),
            bind(wire.REVOKE, self.revoke, self._locate),
            bind(wire.REMOVE, self.remove, self._locate),
            bind(wire.WINDOW, self.status),
            bind(wire.OPEN, self.open),
            bind(wire.CLOSE, self.close),
            bind(wire.MAKE_CODE, self.make_code),
        )

    async def list(self, act: Act[Nothing, None]) -> wire.DeviceList:  # noqa: ARG002 - the shape of a handler
        """List all devices."""
        devices = await self._store.read(table.everyone)
        return wire.DeviceList([self._shown(device) for device in devices])

    async def get(self, act: Act[wire.DeviceRef, KnownDevice]) -> wire.Device:
        """Show one device."""
        device = await self._store.read(lambda reader: table.find(reader, act.object.id))
        return self._shown(device or act.object.device)

    async def requests(self, act: Act[Nothing, None]) -> wire.RequestList:  # noqa: ARG002 - the shape of a handler
        """List the requests that wait."""
        due = {request.id for request in self._pending.due(self._clock())}
        return wire.RequestList([request for request in self._pending.all() if request.id not in due])

    async def approve(self, act: Act[wire.ApprovePairing, None]) -> wire.Device:
        """Let a device in with what was asked for, or less: within the caller's own grant."""
        params, at, approver = act.params, self._clock(), act.caller.grant
        act.audit_subject = params.request_id

        async def work(tx: Transaction) -> wire.Device:
            request = await deciding.waiting(tx, params.request_id, at, params.digest)
            asked = frozenset(request.scopes)
            scopes = asked if params.scopes is None else frozenset(params.scopes)
            given = Given(
                role=request.role,
                scopes=scopes,
                withheld=asked - scopes,
                agents=_set(params.agents),
                rooms=_set(params.rooms),
                expires_at=None if params.expires_in_s is None else _after(at, params.expires_in_s),
            )
            return await deciding.approve(tx, request, approver, given, at)

        return await act.transact(work, wire.Device)

    async def reject(self, act: Act[wire.RequestRef, None]) -> wire.PairingRequest:
        """Turn a device away."""
        at, actor = self._clock(), act.caller.principal.id
        act.audit_subject = act.params.request_id

        async def work(tx: Transaction) -> wire.PairingRequest:
            request = await deciding.waiting(tx, act.params.request_id, at)
            return await deciding.settle(tx, request, wire.PairingState.REJECTED, at, actor)

        return await act.transact(work, wire.PairingRequest)

    async def rename(self, act: Act[wire.RenameDevice, KnownDevice]) -> wire.Device:
        """Call a device something else."""
        change = changing.Change(act.object.id, self._clock(), act.caller.principal.id)
        act.audit_subject = change.device_id
        return await act.transact(lambda tx: changing.rename(tx, change, act.params.name), wire.Device)

    async def rotate(self, act: Act[wire.RotateToken, KnownDevice]) -> wire.DeviceToken:
        """Replace the token of one role, and narrow what it may do if that is asked."""
        params, holder = act.params, self._lender(act.caller.grant)
        change = changing.Change(act.object.id, self._clock(), act.caller.principal.id)
        act.audit_subject = change.device_id
        scopes = None if params.scopes is None else frozenset(params.scopes)
        shown: list[str] = []

        async def work(tx: Transaction) -> wire.Device:
            device, token = await changing.rotate(tx, change, params.role, holder, scopes)
            shown.append(token)
            return device

        device = await act.transact(work, wire.Device)
        grant = next(each for each in device.grants if each.role is params.role)
        return wire.DeviceToken(device.id, params.role, shown[0], grant.scopes, grant.rotated_at)

    async def revoke(self, act: Act[wire.RevokeDevice, KnownDevice]) -> wire.Device:
        """End what a device may do, in one role or for good."""
        change = changing.Change(act.object.id, self._clock(), act.caller.principal.id)
        act.audit_subject = change.device_id
        return await act.transact(lambda tx: changing.revoke(tx, change, act.params.role), wire.Device)

    async def remove(self, act: Act[wire.DeviceRef, KnownDevice]) -> wire.Device:
        """Forget a device."""
        change = changing.Change(act.object.id, self._clock(), act.caller.principal.id)
        act.audit_subject = change.device_id
        return await act.transact(lambda tx: changing.remove(tx, change), wire.Device)

    async def status(self, act: Act[Nothing, None]) -> wire.PairingWindow:  # noqa: ARG002 - the shape of a handler
        """Say whether unknown devices may ask."""
        return self._status()

    def _status(self) -> wire.PairingWindow:
        closes_at = self._window.closes_at
        return wire.PairingWindow(
            is_open=closes_at is not None,
            closes_at="" if closes_at is None else to_rfc3339(closes_at),
            pending=len(self._pending),
            pending_max=PAIRING_PENDING_MAX,
            hub_fingerprint=self._hub_key.fingerprint,
            reach=self.reach(),
        )

    async def open(self, act: Act[wire.OpenPairing, None]) -> wire.PairingWindow:
        """Let unknown devices ask for a while."""
        self._window.open(act.params.for_s)
        return self._status()

    async def close(self, act: Act[Nothing, None]) -> wire.PairingWindow:  # noqa: ARG002 - the shape of a handler
        """Let them ask no more."""
        self._window.close()
        return self._status()

    async def make_code(self, act: Act[wire.MakeCode, None]) -> wire.PairingCode:
        """Make a code that lets one device in; nothing that it gives is wider than the caller's grant."""
        params, at, grant = act.params, self._clock(), act.caller.grant
        if grant.kind in ("shared", "anonymous"):
            raise InstarError("forbidden", "needs a credential that the hub gave out")
        scopes, ends = frozenset(params.scopes), _after(at, params.expires_in_s)
        check_role(params.role, scopes)
        attenuate(grant, wanted_of(Given(params.role, scopes), "", params.name))
        holder = self._lender(grant)

        async def work(tx: Transaction) -> wire.PairingCode:
            code = await codes.issue(tx, holder, params.role, scopes, params.name, at, ends)
            return wire.PairingCode(code, to_rfc3339(ends))

        return await act.transact(work, wire.PairingCode)

    def _shown(self, device: wire.Device) -> wire.Device:
        """Return a device with the grants that hold and the uses that the table has not seen."""
        seen = self._registry.view(device)
        grants = [replace(each, last_used_at=self._at(each.key_id, each.last_used_at)) for each in seen.grants]
        last = max([device.last_seen_at, *(each.last_used_at for each in grants)])
        return replace(device, grants=grants, last_seen_at=last)

    def _at(self, grant_id: str, stored: str) -> str:
        at = self._used.get(grant_id)
        return stored if at is None else to_rfc3339(at)

    async def _locate(self, caller: Caller, params: wire.DeviceRef) -> KnownDevice:  # noqa: ARG002 - the shape of Locate
        device = self._registry.find(params.device_id)
        if device is None:
            raise missing("device", params.device_id)
        return device


def _after(at: Micros, seconds: float) -> Micros:
    return Micros(at + int(seconds * MICROS_PER_S))


def _set(members: list[str] | None) -> frozenset[str] | None:
    return None if members is None else frozenset(members)
