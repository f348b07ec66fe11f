"""Every part of a hub, made and joined: this module alone knows them all. Nothing is read or started here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from instar.assistant import echo
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.hub.agents.agents import Agents
from instar.hub.approvals.approvals import Approvals
from instar.hub.calls.calls import Calls
from instar.hub.delivery.delivery import Delivery
from instar.hub.delivery.guard import LoopGuard
from instar.hub.delivery.policy import DeliveryPolicy
from instar.hub.identity.identity import Identity
from instar.hub.nodes.nodes import Nodes
from instar.hub.operations.audit import Audit
from instar.hub.operations.card import Card, Counts
from instar.hub.operations.hub import Hub
from instar.hub.operations.invoke import Operations
from instar.hub.presence.presences import Presences, own_entry
from instar.hub.rooms import RoomPolicy, Rooms
from instar.hub.runs.runs import Runs
from instar.hub.schedules.schedules import Schedules
from instar.hub.secrets import Secrets
from instar.hub.settings.handlers import SettingsHandlers
from instar.hub.settings.live import Live
from instar.hub.settings.load import Loaded
from instar.hub.settings.tree import Settings
from instar.hub.ssh.ssh import SshTargets
from instar.store.backup import BLOB_FOLDER
from instar.store.blobs import Blobs
from instar.store.sqlite import SqliteStore
from instar.wire.names import Network
from instar.wire.rooms import RoomKind

from .execution import call_policy, wire_execution
from .log_handlers import LogHandlers
from .streams import Streams


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
    schedules: Schedules
    secrets: Secrets
    ssh: SshTargets
    card: Card
    hub: Hub
    blobs: Blobs
    operations: Operations
    presences: Presences
    nodes: Nodes
    approvals: Approvals
    calls: Calls
    live: Live
    settings: SettingsHandlers

    def obey(self, settings: Settings) -> None:
        """Let the live ones of these settings hold."""
        self.delivery.obey(_delivery_policy(settings))
        self.rooms.obey(_room_policy(settings))
        self.runs.budget_s = settings.runs.budget_s
        self.approvals.obey(settings.approvals.expires_s)
        self.nodes.obey(is_local=settings.nodes.local, telemetry_keep_s=settings.nodes.telemetry_keep_s)
        self.calls.obey(call_policy(settings))
        self.operations.obey(settings.limits.requests_per_s)


def wire(
    loaded: Loaded,
    store: SqliteStore,
    scope: TaskScope,
    streams: Streams,
    *,
    base_url: Callable[[], str],
    addresses: Callable[[], list[str]],
) -> Parts:
    """Make every part.

    Args:
        loaded: The settings and where each came from.
        store: The log and its tables, open.
        scope: The parent of every part's tasks.
        streams: The live sockets and streams.
        base_url: Where browsers reach the hub.
        addresses: Where it listens.
    """
    settings, data_dir = loaded.settings, Path(loaded.settings.data_dir)
    network = Network(settings.network.id, settings.network.name)
    fanout = Fanout()
    pump = Pump(fanout)
    store.on_commit(lambda committed: pump(committed.events))
    identity = Identity(store, pump, settings.auth, network, pairing=settings.pairing, base_url=base_url)
    authority = identity.authority
    policy = _delivery_policy(settings)
    guard = LoopGuard(store, pump, network, policy, scope)
    blobs = Blobs(data_dir / BLOB_FOLDER)
    rooms = Rooms(store, pump, identity, network, guard, blobs, _room_policy(settings), data_dir)
    agents = Agents(store, pump, fanout, authority, rooms.directory, network)
    rooms.apply.agents = agents.declaring
    rooms.sessions.is_agent = lambda agent_id: agents.get(agent_id) is not None
    delivery = Delivery(
        store, pump, fanout, identity, rooms.directory, agents, network, policy, scope=scope, guard=guard
    )
    runs = Runs(
        store, pump, fanout, delivery, rooms.messages, rooms.directory, agents, guard, scope,
        budget_s=settings.runs.budget_s,
    )  # fmt: skip
    runs.serve(echo.NAME, echo.Echo())
    schedules = Schedules(store, pump, identity, rooms, agents, delivery.switch, network, scope)
    presences = Presences(fanout, own_entry(network))
    live = Live(loaded)
    remote = wire_execution(store, pump, fanout, identity, rooms.directory, data_dir, scope, live)
    settings_handlers = SettingsHandlers(live, store)
    logs = LogHandlers(data_dir, is_kept=settings.log.file)
    counts = _counts(rooms, agents, delivery, streams)
    card = Card(store, authority, settings.auth, network, data_dir, counts, addresses)
    bound = (
        card, settings_handlers, logs, identity, rooms, agents, delivery, runs, schedules, Audit(store), presences,
        *remote.nouns,
    )  # fmt: skip
    operations = Operations(store, identity, [binding for noun in bound for binding in noun.bindings()])
    remote.tools.invoke = operations.invoke
    hub = Hub(network, identity, operations, agents, delivery, presences, remote.nodes, scope, remote.calls)
    return Parts(
        store, pump, fanout, identity, rooms, agents, delivery, runs, schedules, remote.secrets, remote.ssh, card,
        hub, blobs, operations, presences, remote.nodes, remote.approvals, remote.calls, live, settings_handlers,
    )  # fmt: skip


def _counts(rooms: Rooms, agents: Agents, delivery: Delivery, streams: Streams) -> Counts:
    return Counts(
        rooms=lambda: len(rooms.directory.all(RoomKind.ROOM)),
        agents=lambda: len(agents.all()),
        connected_agents=agents.connected_count,
        streams=lambda: len(streams),
        search_lag=rooms.search.follower.lag,
        stopped=lambda: delivery.switch.is_stopped,
    )


def _room_policy(settings: Settings) -> RoomPolicy:
    return RoomPolicy(settings.uploads.max_bytes, tuple(settings.uploads.media_types))


def _delivery_policy(settings: Settings) -> DeliveryPolicy:
    return DeliveryPolicy(
        lease_s=settings.delivery.lease_s,
        attempts=settings.delivery.attempts,
        max_hops=settings.loops.max_hops,
        pair_per_min=settings.loops.pair_per_min,
        room_per_min=settings.loops.room_per_min,
        cool_down_s=settings.loops.cool_down_s,
        agent_messages_per_s=settings.limits.agent_messages_per_s,
        room_messages_per_s=settings.limits.room_messages_per_s,
    )
