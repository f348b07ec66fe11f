"""Which nodes there are, and which are connected: a projection of `node.*` and `device.*`, beside the sessions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.hub.identity.devices.registry import Registry
from instar.hub.identity.principals import Grant
from instar.policy.routing import means_another
from instar.store.seam import Store
from instar.wire.devices import Device, DeviceGrant, Role
from instar.wire.events import Event
from instar.wire.execution import Declaration
from instar.wire.nodes import LOCAL, Permit
from instar.wire.tools import TOOLS

from . import records
from .declarations import merged
from .records import NodeEvent, NodeRecord
from .sessions import NodeSession

EVERYTHING = Permit(commands=["*"])
"""What the hub's own machine may be asked until an operator says otherwise; approvals judge each call nevertheless."""
UNSTARTED = Declaration(commands=sorted(TOOLS))
"""What the hub's own machine offers while its node has yet to say so."""


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node as it is now: its device, what is kept of it, and its connection if it has one."""

    id: str
    device: Device | None
    """None: the hub's own machine."""
    record: NodeRecord
    session: NodeSession | None

    @property
    def is_local(self) -> bool:
        """Whether it is the hub's own machine."""
        return self.device is None

    @property
    def name(self) -> str:
        """What people call it: an operator's name wins over what it says of itself, and none that means another."""
        if self.device is None:
            return LOCAL
        name = self.device.facts.name or self.record.declaration.name
        return self.id[:12] if not name or means_another(name) else name

    @property
    def alias(self) -> str:
        """The name by which its dialect knows it."""
        alias = self.device.alias if self.device is not None else ""
        return "" if means_another(alias) else alias

    @property
    def declaration(self) -> Declaration:
        """What it offers."""
        if self.is_local and self.session is None and not self.record.connected_at:
            return UNSTARTED
        return self.record.declaration

    @property
    def labels(self) -> dict[str, str]:
        """The labels that hold."""
        return merged(self.record.declaration.labels, self.record.labels)

    @property
    def permit(self) -> Permit:
        """What it may be asked. A permit that was given for another grant of the device is void."""
        if self.device is None:
            return self.record.permit if self.record.grant_id else EVERYTHING
        held = node_grant(self.device)
        return self.record.permit if held is not None and held.key_id == self.record.grant_id else Permit()


class Roster:
    """Changed only on the event loop: by appliers, at load, and when a connection ends.

    Args:
        pump: Keeps the projection true to the log.
        registry: The devices that were let in.
    """

    def __init__(self, pump: Pump, registry: Registry) -> None:
        self._registry = registry
        self._records: dict[str, NodeRecord] = {}
        self._sessions: dict[str, NodeSession] = {}
        self._entering: dict[str, NodeSession] = {}
        self._callbacks: list[Callable[[NodeSession], None]] = []
        self.local_grant = ""
        """The grant that the node of the hub's own machine was lent, while it runs."""
        pump.apply_with(records.CONNECTED, self._changed)
        pump.apply_with(records.DISCONNECTED, self._changed)
        pump.apply_with(records.CHANGED, self._changed)
        pump.apply_with("device.removed", self._removed)

    async def load(self, store: Store) -> None:
        """Take what the table holds at start."""
        self._records = {record.id: record for record in await store.read(records.everyone)}

    def on_entered(self, callback: Callable[[NodeSession], None]) -> None:
        """Call back with each session that becomes its node's connection."""
        self._callbacks.append(callback)

    def entering(self, session: NodeSession) -> None:
        """Let a session become its node's connection when its `node.connected` is committed."""
        self._entering[session.connection] = session

    def gave_up(self, session: NodeSession) -> None:
        """Expect a session no more."""
        self._entering.pop(session.connection, None)

    def leave(self, session: NodeSession) -> bool:
        """Take a session away; return whether it was its node's connection. Another one of that node stays."""
        is_current = self._sessions.get(session.node_id) is session
        if is_current:
            del self._sessions[session.node_id]
        return is_current

    def session(self, node_id: str) -> NodeSession | None:
        """Return the connection of a node."""
        return self._sessions.get(node_id)

    def sessions(self) -> list[NodeSession]:
        """Return every connection."""
        return list(self._sessions.values())

    def identify(self, grant: Grant) -> str:
        """Return the id of the node whose grant this is, or whose session.

        Raises:
            InstarError: `forbidden` when it is no node's.
        """
        if grant.id == self.local_grant:
            return LOCAL
        held = self._registry.holder(grant.id) or self._registry.holder(grant.parent)
        if held is not None and held[1] is Role.NODE:
            return held[0].id
        raise InstarError(
            "forbidden",
            "the credential is no node's: only a device that was let in as a node serves calls",
            hint="Run `instar node join URL` on the machine.",
            detail={"missing": "scope node"},
        )

    def get(self, node_id: str) -> KnownNode | None:
        """Return a node by its id."""
        if node_id == LOCAL:
            return KnownNode(LOCAL, None, self._record(LOCAL), self._sessions.get(LOCAL))
        device = self._registry.get(node_id)
        if device is None:
            return None
        device = self._registry.view(device)
        if node_grant(device) is None:
            return None
        return KnownNode(node_id, device, self._record(node_id), self._sessions.get(node_id))

    def find(self, text: str) -> KnownNode | None:
        """Return a node by its id, its alias, or a name that no other node has, in any case."""
        if (found := self.get(text)) is not None:
            return found
        nodes = list(self)
        if (aliased := next((node for node in nodes if text and node.alias == text), None)) is not None:
            return aliased
        named = [node for node in nodes if node.name.casefold() == text.casefold()]
        return named[0] if len(named) == 1 else None

    def __iter__(self) -> Iterator[KnownNode]:
        """Yield the hub's own machine, then every device that was let in as a node."""
        for node_id in (LOCAL, *self._registry.ids()):
            if (node := self.get(node_id)) is not None:
                yield node

    def forget_strangers(self) -> None:
        """Forget what was written of nodes after they were removed: that their connection ended."""
        gone = [each for each in self._records if each != LOCAL and self._registry.get(each) is None]
        for node_id in gone:
            del self._records[node_id]

    def _record(self, node_id: str) -> NodeRecord:
        return self._records.get(node_id) or NodeRecord(node_id)

    def _changed(self, event: Event) -> None:
        said = msgspec.json.decode(event.payload, type=NodeEvent)
        self._records[said.id] = records.record_of(said)
        session = self._entering.pop(said.connection, None) if event.type == records.CONNECTED else None
        if session is None or session.is_closed:
            return
        former = self._sessions.get(said.id)
        self._sessions[said.id] = session
        if former is not None:
            former.end("conflict", "another connection of this node took its place")
            former.closed("another connection of this node took its place")
        for callback in self._callbacks:
            callback(session)

    def _removed(self, event: Event) -> None:
        self._records.pop(msgspec.json.decode(event.payload, type=Device).id, None)


def node_grant(device: Device) -> DeviceGrant | None:
    """Return the grant of a device in role node."""
    return next((grant for grant in device.grants if grant.role is Role.NODE), None)
