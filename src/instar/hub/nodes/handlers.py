"""Handlers of `nodes.*`."""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from instar.base.clock import Micros, from_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.devices import changing, deciding, table
from instar.hub.identity.devices.admission import Given
from instar.hub.identity.devices.devices import Devices
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.policy.environment import check_listed
from instar.policy.naming import check_named
from instar.store.seam import Transaction
from instar.wire import nodes as wire
from instar.wire.devices import Device, Role
from instar.wire.limits import NODE_LABELS_MAX
from instar.wire.nodes import LOCAL, Node, Permit
from instar.wire.operation import Nothing

from . import records
from .records import NodeRecord
from .roster import KnownNode, Roster, node_grant
from .status import Status
from .telemetry import Reports
from .views import Views

T = TypeVar("T")
_FOREVER = Micros(2**62)


class Handlers:
    """What callers may do to nodes.

    Args:
        devices: Whom a node's grant comes of.
        roster: Which there are.
        views: How they are shown.
        reports: How they were.
        status: What is wrong with remote execution.
        clock: Wall-clock time.
    """

    def __init__(
        self,
        devices: Devices,
        roster: Roster,
        views: Views,
        reports: Reports,
        status: Status,
        clock: Callable[[], Micros],
    ) -> None:
        self._devices = devices
        self._roster = roster
        self._views = views
        self._reports = reports
        self._status = status
        self._clock = clock

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.LIST, self.list),
            bind(wire.GET, self.get, self.locate_shown),
            bind(wire.REQUESTS, self.requests),
            bind(wire.APPROVE, self.approve),
            bind(wire.PERMIT, self.permit, self.locate),
            bind(wire.LABEL, self.label, self.locate),
            bind(wire.HISTORY, self.history, self.locate),
            bind(wire.STATUS, self.status),
        )

    def locate(self, caller: Caller, params: wire.NodeRef) -> KnownNode:  # noqa: ARG002 - the shape of Locate
        """Find a node.

        Raises:
            InstarError: `not_found`.
        """
        return _known(self._roster.find(params.node_id), params.node_id)

    def locate_shown(self, caller: Caller, params: wire.NodeRef) -> Node:  # noqa: ARG002 - the shape of Locate
        """Find a node, or what is shown beside nodes.

        Raises:
            InstarError: `not_found`.
        """
        return _known(self._views.find(params.node_id), params.node_id)

    async def list(self, act: Act[wire.NodeQuery, None]) -> wire.NodeList:
        """List nodes, the local machine and SSH targets."""
        nodes = self._views.selected(act.params.select)
        return wire.NodeList([node for node in nodes if node.is_connected or not act.params.connected])

    async def get(self, act: Act[wire.NodeRef, Node]) -> Node:
        """Show one node."""
        return act.object

    async def requests(self, act: Act[Nothing, None]) -> wire.NodeRequestList:  # noqa: ARG002 - the shape of a handler
        """List the machines that ask to be nodes."""
        waiting = [request for request in self._devices.waiting() if request.role is Role.NODE]
        return wire.NodeRequestList(
            [
                wire.NodeRequest(
                    request.id, request.device_id, request.digest, request.fingerprint, request.facts,
                    request.created_at, request.expires_at, request.scopes, address=request.address,
                    dialect=request.dialect,
                )
                for request in waiting
            ]
        )  # fmt: skip

    async def approve(self, act: Act[wire.ApproveNode, None]) -> Node:
        """Let a machine in and say what it may be asked, in one transaction.

        Raises:
            InstarError: `not_found`, `conflict` (decided, expired, another digest, no node's request), `forbidden`;
                `unprocessable_entity` for a variable that is never forwarded, a tool that there is none of.
        """
        params, at, approver = act.params, self._clock(), act.caller.grant
        actor = approver.principal.id
        check_listed(params.permit.env)
        _check_labels(params.labels)
        act.audit_subject = params.request_id

        async def work(tx: Transaction) -> Node:
            request = await deciding.waiting(tx, params.request_id, at, params.digest)
            if request.role is not Role.NODE:
                hint = "Approve it with `instar devices approve`."
                raise InstarError("conflict", "the request is an operator's, not a node's", hint=hint)
            check_named(params.permit.commands, has_others=_is_foreign(request.dialect))
            given = Given(request.role, frozenset(request.scopes))
            device = await deciding.approve(tx, request, approver, given, at)
            if params.name:
                device = await changing.rename(tx, changing.Change(device.id, at, actor), params.name)
            record = await records.find(tx, device.id)
            permitted = replace(_permitted(record, device, params.permit), labels=params.labels or record.labels)
            return await self._put(tx, permitted, device, actor)

        return await act.transact(work, Node)

    async def permit(self, act: Act[wire.SetPermit, KnownNode]) -> Node:
        """Say what a node may be asked from now on.

        Raises:
            InstarError: `unprocessable_entity` for a variable that is never forwarded, a tool that there is none of.
        """
        check_listed(act.params.permit.env)

        def change(record: NodeRecord, device: Device | None) -> NodeRecord:
            known = (*record.declaration.commands, *record.permit.commands)
            is_foreign = device is not None and _is_foreign(device.dialect)
            check_named(act.params.permit.commands, known, has_others=is_foreign)
            return _permitted(record, device, act.params.permit)

        return await self._change(act, change)

    async def label(self, act: Act[wire.SetLabels, KnownNode]) -> Node:
        """Give a node labels instead of those that it was given before."""
        _check_labels(act.params.labels)

        def change(record: NodeRecord, device: Device | None) -> NodeRecord:  # noqa: ARG001 - the shape of a change
            return replace(record, labels=act.params.labels)

        return await self._change(act, change)

    async def history(self, act: Act[wire.HistoryQuery, KnownNode]) -> wire.TelemetryHistory:
        """Show a node's telemetry over time.

        Raises:
            InstarError: `unprocessable_entity` when `before` is no time.
        """
        before = _FOREVER
        if act.params.before:
            try:
                before = from_rfc3339(act.params.before)
            except ValueError as error:
                raise InstarError("unprocessable_entity", f"`before` is no time: {error}") from error
        return await self._reports.history(act.object.id, act.params.limit, before)

    async def status(self, act: Act[Nothing, None]) -> wire.ExecStatus:  # noqa: ARG002 - the shape of a handler
        """Say where calls go by default and what is wrong with it."""
        return await self._status.examine()

    async def _change(
        self, act: Act[Any, KnownNode], change: Callable[[NodeRecord, Device | None], NodeRecord]
    ) -> Node:
        node_id, actor = act.object.id, act.caller.principal.id
        act.audit_subject = node_id

        async def work(tx: Transaction) -> Node:
            device = None if node_id == LOCAL else await table.found(tx, node_id)
            return await self._put(tx, change(await records.find(tx, node_id), device), device, actor)

        return await act.transact(work, Node)

    async def _put(self, tx: Transaction, record: NodeRecord, device: Device | None, actor: str) -> Node:
        node = KnownNode(record.id, device, record, self._roster.session(record.id))
        connection = node.session.connection if node.session is not None else ""
        is_connected = node.session is not None
        await records.put(
            tx, record, records.CHANGED, actor, name=node.name, connection=connection, is_connected=is_connected
        )
        return self._views.node(node)


def _known(found: T | None, node_id: str) -> T:
    if found is None:
        raise missing("node", node_id)
    return found


def _permitted(record: NodeRecord, device: Device | None, permit: Permit) -> NodeRecord:
    """Return a record with a permit that holds as long as the grant that the device has now."""
    held = node_grant(device) if device is not None else None
    if device is not None and held is None:
        raise InstarError("conflict", "the device is no node any more", hint="Let it join again, then approve it.")
    return replace(record, permit=permit, grant_id=held.key_id if held is not None else LOCAL)


def _is_foreign(dialect: str) -> bool:
    return dialect not in ("", "instar")


def _check_labels(labels: dict[str, str]) -> None:
    if len(labels) > NODE_LABELS_MAX:
        raise InstarError("unprocessable_entity", f"a node has at most {NODE_LABELS_MAX} labels")
