"""The package's face: everything that the rest of identity, and the facade, ask of devices."""

from collections.abc import Callable

from instar.base.clock import Micros
from instar.hub.act import Bindings
from instar.hub.identity.appliers import Appliers
from instar.hub.identity.keyring import Keyring
from instar.hub.identity.lockout import Lockout
from instar.hub.identity.notices import Notices
from instar.hub.identity.policy import AuthPolicy, PairingPolicy
from instar.hub.identity.principals import Grant
from instar.store.seam import Store, Transaction
from instar.wire.devices import Device, DeviceToken, PairingRequest, PairingState, Reach

from . import changing, deciding, request_table, table
from .asking import Asking
from .challenges import Challenges
from .entering import Entering
from .hub_key import HubKey
from .managing import Lender, Managing
from .pins import Pins
from .proofs import Proofs
from .registry import Registry
from .requests import PendingRequests
from .window import Window


class Devices:
    """Devices, what they ask for and what they may do.

    Args:
        store: Where they are kept.
        pump: What brings committed events to the projections.
        keyring: The grants that hold.
        auth: Whether there is a shared secret.
        policy: Which devices are let in without a person.
        lockout: Who guessed too often.
        notices: Where refusals are noted.
        lender: The grant that a session came of.
        used: When each grant was last presented, as far as the table has not seen it.
        clock: Wall-clock time.
    """

    def __init__(
        self,
        store: Store,
        pump: Appliers,
        keyring: Keyring,
        auth: AuthPolicy,
        policy: PairingPolicy,
        lockout: Lockout,
        notices: Notices,
        lender: Lender,
        used: dict[str, Micros],
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._clock = clock
        self._window = Window()
        self._pending = PendingRequests()
        self.hub_key = HubKey()
        self.registry = Registry(keyring)
        self.proofs = Proofs()
        self.pins = Pins(self.registry, notices, clock)
        self.asking = Asking(store, self.registry, self.pins, self._window, auth, policy, clock)
        self._entering = Entering(
            store, self.hub_key, self.registry, self._pending, self.asking, Challenges(), lockout, used, clock,
        )  # fmt: skip
        self._managing = Managing(
            store, self.hub_key, self.registry, self._pending, self._window, lender, used, clock,
        )  # fmt: skip
        pump.apply_with("device.changed", self.registry.changed)
        pump.apply_with("device.removed", self.registry.removed)
        pump.apply_with("device.requested", self._pending.requested)
        pump.apply_with("device.resolved", self._pending.resolved)

    async def load(self) -> None:
        """Take in devices and waiting requests. Call once, after the grants."""
        self.registry.load(await self._store.read(table.everyone))
        self._pending.load(await self._store.read(request_table.pending))

    def listens(self, reach: Callable[[], Reach]) -> None:
        """Take note of how other machines reach the hub, for those who have one join."""
        self._managing.reach = reach

    def bindings(self) -> Bindings:
        """Return `devices.*` and `pairing.*` with their handlers."""
        return (*self._entering.bindings(), *self._managing.bindings())

    def of(self, grant: Grant) -> Device | None:
        """Return the device whose grant this is, or whose session; None when it is no device's."""
        held = self.registry.holder(grant.id) or self.registry.holder(grant.parent)
        return self.registry.view(held[0]) if held is not None else None

    def waiting(self) -> list[PairingRequest]:
        """Return the requests that wait for a decision, oldest first."""
        due = {request.id for request in self._pending.due(self._clock())}
        return [request for request in self._pending.all() if request.id not in due]

    async def decided(self, request_id: str, timeout_s: float) -> PairingRequest:
        """Wait for the decision on a request, at most so long; see `Entering.decided`."""
        return await self._entering.decided(request_id, timeout_s)

    async def first_token(self, grant: Grant) -> DeviceToken | None:
        """Return a device's token when it has yet to be given one, once; else None.

        Raises:
            InstarError: `conflict` when the grant has ended meanwhile.
        """
        held, at = self.registry.holder(grant.id), self._clock()
        if held is None:
            return None
        device, role = held
        if any(each.rotated_at for each in device.grants if each.role is role):
            return None

        async def work(tx: Transaction) -> DeviceToken | None:
            done = await changing.hand_out(tx, device.id, role, at)
            if done is None:
                return None
            given = next(each for each in done[0].grants if each.role is role)
            return DeviceToken(device.id, role, done[1], given.scopes, given.rotated_at)

        return await self._store.transact(work)

    async def expire_due(self) -> None:
        """Settle the requests whose time is over. To be called each second."""
        at = self._clock()
        due = self._pending.due(at)

        async def work(tx: Transaction) -> None:
            for request in due:
                await deciding.settle(tx, request, PairingState.EXPIRED, at)

        if due:
            await self._store.transact(work)
