"""How nodes are shown: what is kept, what they said, how they are, and what they may be asked."""

from collections.abc import Callable, Sequence

from instar.base.clock import Micros, to_rfc3339
from instar.policy.labels import parse_selector
from instar.wire.limits import NODE_CALLS_MAX
from instar.wire.nodes import Node, NodeKind

from .local import LocalTarget
from .permits import commands
from .roster import KnownNode, Roster
from .telemetry import Reports

Neighbours = Callable[[], Sequence[Node]]
"""Returns targets that are no nodes and are shown beside them (SSH)."""


class Views:
    """Nodes as `nodes.list` and `nodes.get` show them.

    Args:
        roster: Which there are.
        reports: How they are.
        local: Whether the hub's own machine takes calls.
        clock: Wall-clock time.
    """

    def __init__(self, roster: Roster, reports: Reports, local: LocalTarget, clock: Callable[[], Micros]) -> None:
        self._roster = roster
        self._reports = reports
        self._local = local
        self._clock = clock
        self.neighbours: list[Neighbours] = []

    def node(self, known: KnownNode) -> Node:
        """Return one node."""
        session, said, device = known.session, known.declaration, known.device
        executor = session.executor if session is not None else None
        return Node(
            id=known.id,
            name=known.name,
            kind=NodeKind.LOCAL if known.is_local else NodeKind.NODE,
            is_connected=self._local.can_run if known.is_local else session is not None,
            dialect=known.record.dialect or (device.dialect if device else "instar"),
            platform=said.platform or (device.facts.platform if device else ""),
            version=said.version or (device.facts.version if device else ""),
            fingerprint=device.fingerprint if device else "",
            address=known.record.address,
            alias=known.alias,
            labels=known.labels,
            given_labels=known.record.labels,
            capabilities=said.capabilities,
            declared=said.commands,
            commands=commands(known),
            permit=known.permit,
            working_dir=said.working_dir,
            roots=said.roots,
            sandboxes=[str(sandbox) for sandbox in said.sandboxes],
            permissions=said.permissions,
            path_env=said.path_env,
            details=said.details,
            connected_at=to_rfc3339(session.connected_at) if session is not None else "",
            last_seen_at=self._last_seen(known),
            telemetry=self._reports.newest(known.id),
            is_stale=self._reports.is_stale(known.id, self._clock()),
            calls_running=executor.calls_running if executor else 0,
            calls_max=executor.calls_max if executor else said.concurrency or NODE_CALLS_MAX,
        )

    def all(self) -> list[Node]:
        """Return the hub's own machine, then what can be reached, then the others; by name."""
        nodes = [self.node(known) for known in self._roster]
        for neighbours in self.neighbours:
            nodes += neighbours()
        return sorted(
            nodes, key=lambda node: (node.kind != NodeKind.LOCAL, not node.is_connected, node.name.casefold(), node.id)
        )

    def find(self, text: str) -> Node | None:
        """Return a node, or what is shown beside nodes, by id, alias, or a name that no other has."""
        known = self._roster.find(text)
        if known is not None:
            return self.node(known)
        others = [node for neighbours in self.neighbours for node in neighbours()]
        exact = [node for node in others if node.id == text]
        named = exact or [node for node in others if node.name.casefold() == text.casefold()]
        return named[0] if len(named) == 1 else None

    def selected(self, select: str) -> list[Node]:
        """Return the nodes that an id, a name or a label expression means.

        Raises:
            InstarError: `unprocessable_entity` when it is none of them.
        """
        nodes = self.all()
        if not select:
            return nodes
        named = [node for node in nodes if select in (node.id, node.alias) or node.name.casefold() == select.casefold()]
        if named:
            return named
        selector = parse_selector(select)
        return [node for node in nodes if selector.matches(node.labels)]

    def _last_seen(self, known: KnownNode) -> str:
        """Return when it was heard of last."""
        newest = self._reports.newest(known.id)
        return max(known.record.last_seen_at, newest.taken_at if newest is not None else "")
