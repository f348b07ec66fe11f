"""The one module that knows everybody: it wires the hub, opens it, serves it, and closes it in order."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import structlog

from instar.assistant import echo
from instar.base.clock import MICROS_PER_S, now
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.doors.network.door import NetworkDoor
from instar.hub.agents.agents import Agents
from instar.hub.agents.declaring import Declaring
from instar.hub.delivery.delivery import Delivery
from instar.hub.delivery.guard import LoopGuard
from instar.hub.delivery.policy import DeliveryPolicy
from instar.hub.identity.handlers import console_url
from instar.hub.identity.identity import Identity
from instar.hub.identity.roots import local_root
from instar.hub.operations.card import Card, Counts
from instar.hub.operations.hub import Hub
from instar.hub.operations.invoke import Operations
from instar.hub.operations.recorder import trim_ledger
from instar.hub.rooms import RoomPolicy, Rooms
from instar.hub.runs.runs import Runs
from instar.hub.settings import handlers as settings_handlers
from instar.hub.settings.binding import Address, base_url, check_bind
from instar.hub.settings.load import Loaded
from instar.hub.settings.tree import Settings
from instar.store.blobs import Blobs
from instar.store.sqlite import SqliteStore, open_store
from instar.wire.limits import LEDGER_KEEP_S
from instar.wire.names import Network
from instar.wire.rooms import RoomKind

from . import lifecycle, logs
from .console import Console
from .first_start import declare
from .guard import Guard
from .http import Carrier
from .maintenance import Maintenance
from .measuring import count_commits, read_parts
from .metrics import Metrics
from .sockets import Bound, bind
from .streams import Streams

LOCAL_GRANT = "local-grant"
BLOB_FOLDER = "blobs"
PRIVATE = 0o077
"""Everything that the hub writes is its owner's alone."""
EXPIRY_S = 1.0
LAST_USED_FLUSH_S = 60.0
LEDGER_TRIM_S = 3_600.0

_log = structlog.get_logger("instar.server")


class Announcement(NamedTuple):
    """What a started hub says of itself."""

    url: str
    console_url: str
    """Signs a browser in, once."""
    setup_code: str
    """The same, to be typed."""
    data_dir: Path
    first_start: bool


@dataclass(slots=True)
class Parts:
    """A wired hub."""

    store: SqliteStore
    pump: Pump
    fanout: Fanout
    identity: Identity
    rooms: Rooms
    agents: Agents
    delivery: Delivery
    runs: Runs
    card: Card
    hub: Hub
    blobs: Blobs
    declaring: Declaring


class App:
    """A hub from its settings to its sockets.

    Args:
        loaded: The settings and where each came from.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._settings: Settings = loaded.settings
        self.data_dir = Path(loaded.settings.data_dir)
        self.metrics = Metrics()
        self._background = TaskScope(self._crashed)
        """Delivery, runs and sockets: ended before the store closes."""
        self._streams = Streams(loaded.settings.limits.streams, loaded.settings.limits.streams_per_principal)
        self._listening: Sequence[Address] = ()

    def _crashed(self, name: str, error: BaseException) -> None:
        self.metrics.counter("instar_faults_total", "task").inc()
        _log.error("a task crashed", task=name, exc_info=error)

    def _base_url(self) -> str:
        if self._settings.server.public_url or not self._listening:
            return base_url(self._settings)
        return self._listening[0].url

    def _wire(self, store: SqliteStore) -> Parts:
        """Make every part and join them; nothing is read or started yet."""
        settings = self._settings
        network = Network(settings.network.id, settings.network.name)
        fanout = Fanout()
        pump = Pump(fanout)
        store.on_commit(lambda committed: pump(committed.events))
        identity = Identity(store, pump, settings.auth, network, base_url=self._base_url)
        authority = identity.authority
        delivery_policy = DeliveryPolicy(
            lease_s=settings.delivery.lease_s,
            attempts=settings.delivery.attempts,
            max_hops=settings.loops.max_hops,
            pair_per_min=settings.loops.pair_per_min,
            room_per_min=settings.loops.room_per_min,
            cool_down_s=settings.loops.cool_down_s,
            agent_messages_per_s=settings.limits.agent_messages_per_s,
            room_messages_per_s=settings.limits.room_messages_per_s,
        )
        guard = LoopGuard(store, pump, network, delivery_policy, self._background)
        blobs = Blobs(self.data_dir / BLOB_FOLDER)
        room_policy = RoomPolicy(settings.uploads.max_bytes, tuple(settings.uploads.media_types))
        rooms = Rooms(store, pump, identity, network, guard, blobs, room_policy, self.data_dir)
        agents = Agents(store, pump, fanout, authority, rooms.directory, network)
        declaring = Declaring(network)
        rooms.apply.agents = declaring
        delivery = Delivery(
            store, pump, fanout, identity, rooms.directory, agents, network, delivery_policy,
            scope=self._background, guard=guard,
        )  # fmt: skip
        runs = Runs(
            store, pump, fanout, delivery, rooms.messages, rooms.directory, agents, guard, self._background,
            budget_s=settings.runs.budget_s,
        )  # fmt: skip
        runs.serve(echo.NAME, echo.Echo())
        counts = Counts(
            rooms=lambda: len(rooms.directory.all(RoomKind.ROOM)),
            agents=lambda: len(agents.all()),
            connected_agents=agents.connected_count,
            streams=lambda: len(self._streams),
            search_lag=rooms.search.follower.lag,
            stopped=lambda: delivery.switch.is_stopped,
        )
        card = Card(store, authority, settings.auth, network, self.data_dir, counts, self._addresses)
        bindings = (
            *card.bindings(), *settings_handlers.bindings(self._loaded), *identity.bindings(), *rooms.bindings(),
            *agents.bindings(), *delivery.bindings(), *runs.bindings(),
        )  # fmt: skip
        operations = Operations(store, authority, bindings)
        hub = Hub(network, identity, operations, agents, delivery, self._background)
        return Parts(store, pump, fanout, identity, rooms, agents, delivery, runs, card, hub, blobs, declaring)

    def _addresses(self) -> list[str]:
        return [str(address) for address in self._listening]

    async def serve(self, announce: Callable[[Announcement], None]) -> int:
        """Run until a signal asks to stop; return the exit code.

        Raises:
            InstarError: An address or the data is in use, the data is damaged or too new, a bind is unsafe.
        """
        check_bind(self._settings)
        bound = bind([self._settings.listen.address, *self._settings.listen.compat])
        try:
            store = await open_store(self.data_dir)
        except BaseException:
            bound.close()
            raise
        self._listening = bound.listening
        parts = self._wire(store)
        try:
            return await self._run(parts, bound, announce)
        finally:
            bound.close()
            await parts.delivery.close()
            await self._background.close()
            await parts.identity.flush()
            await parts.rooms.close()
            await store.close()

    async def _run(self, parts: Parts, bound: Bound, announce: Callable[[Announcement], None]) -> int:
        await parts.identity.load()
        await parts.rooms.load()
        await parts.agents.load()
        await parts.delivery.load()
        await parts.identity.local_grant(self.data_dir / LOCAL_GRANT)
        is_first = await declare(parts.store, parts.rooms.apply, parts.declaring)
        await parts.runs.open()
        self._background.start("search", parts.rooms.search.run())
        self._maintain(parts)
        count_commits(self.metrics, parts.pump)
        read_parts(
            self.metrics, parts.store, parts.pump, parts.fanout, parts.delivery,
            parts.rooms.search.follower.lag, parts.agents.connected_count,
        )  # fmt: skip
        guard = Guard(
            bound.listening,
            allowed_hosts=self._settings.server.allowed_hosts,
            allowed_origins=self._settings.server.allowed_origins,
            trusted_proxies=self._settings.server.trusted_proxies,
        )
        network_door = NetworkDoor(parts.hub, self._background, metrics=self.metrics.render)
        carrier = Carrier(
            (network_door, Console()), guard,
            streams=self._streams, metrics=self.metrics, access_log=self._settings.server.access_log,
        )  # fmt: skip
        announcement = await self._announcement(parts, is_first)

        async def stopping() -> None:
            parts.card.is_draining = True
            await parts.delivery.close()

        await lifecycle.serve(carrier, bound, on_ready=lambda _: announce(announcement), on_stopping=stopping)
        return 0

    async def _announcement(self, parts: Parts, is_first: bool) -> Announcement:
        base = self._base_url()
        link = await parts.identity.console_code(local_root())
        setup = await parts.identity.setup_code()
        return Announcement(base, console_url(base, link.text), setup.text, self.data_dir, is_first)

    def _maintain(self, parts: Parts) -> None:
        """Start the periodic duties."""
        maintenance = Maintenance(self._background, self.metrics)
        maintenance.every(EXPIRY_S, "expire grants", parts.identity.expire_due)
        maintenance.every(LAST_USED_FLUSH_S, "note when grants were used", parts.identity.flush)
        oldest = lambda: now() - int(LEDGER_KEEP_S * MICROS_PER_S)  # noqa: E731 - read where it is used
        maintenance.every(
            LEDGER_TRIM_S, "trim the ledger", lambda: parts.store.transact(lambda tx: trim_ledger(tx, oldest()))
        )


def run(loaded: Loaded, *, announce: Callable[[Announcement], None]) -> int:
    """Serve a hub with these settings until it is told to stop; return the exit code.

    Raises:
        InstarError: As `App.serve` says.
    """
    os.umask(PRIVATE)
    logs.configure(loaded.settings.log.level, loaded.settings.log.format)
    return lifecycle.run(App(loaded).serve(announce))
