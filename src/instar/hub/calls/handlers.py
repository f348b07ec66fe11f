"""Handlers of `calls.*`."""

import time
from dataclasses import dataclass

import msgspec

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.bus.fanout import Pump
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.identity.standing import lasting_grant
from instar.hub.rooms.state import RoomState
from instar.store.seam import Transaction
from instar.wire import calls as wire
from instar.wire.calls import AwaitCall, Call, CallState, StartCall
from instar.wire.events import Event, RoomKey
from instar.wire.execution import CallOrder
from instar.wire.limits import CALL_COMMAND_S, CALL_TOOL_S
from instar.wire.operation import ObjectKind, Verb
from instar.wire.tools import TOOLS

from . import records
from .dispatch import Dispatch, with_tails
from .jobs import check_job
from .listing import Listing
from .live import Live, Wish
from .machine import Move
from .records import CallRecord, Course, Request
from .routes import WantedCall, room_of
from .stage import Stage
from .streams import Streams

_COMMANDS = frozenset({"exec", "shell"})


@dataclass(frozen=True, slots=True)
class LocatedCall:
    """A call with its room: what `may` decides on."""

    record: CallRecord
    room: RoomState | None
    live: Live | None

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def requester(self) -> str:
        """Who asked for it."""
        return self.record.requester

    @property
    def agent_id(self) -> str:
        """The agent on whose behalf."""
        return self.record.request.agent_id


class Handlers:
    """What callers may do to calls."""

    def __init__(self, stage: Stage, dispatch: Dispatch, pump: Pump) -> None:
        self._stage = stage
        self._dispatch = dispatch
        self._streams = Streams(stage)
        self._listing = Listing(stage, self._reads)
        self._admitting: dict[str, CallRecord] = {}
        stage.admits = self._admits
        pump.apply_with("call.admitted", self._admitted)

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.START, self.start, self.locate_wanted),
            bind(wire.GET, self.get, self.locate),
            bind(wire.LIST, self._listing.list),
            bind(wire.CANCEL, self.cancel, self.locate),
            bind(wire.SIGNAL, self.signal, self.locate),
            bind(wire.RESIZE, self.resize, self.locate),
            bind(wire.INPUT, self._streams.input, self.locate),
            bind(wire.OUTPUT, self._streams.output, self.locate),
        )

    # Finding

    def locate_wanted(self, caller: Caller, params: StartCall) -> WantedCall:
        """Find the room of a call to be, and on whose behalf it would be: an agent's credential speaks for its agent.

        Raises:
            InstarError: `not_found` (room); `unprocessable_entity` when a credential of several agents names none.
        """
        params.agent_id = params.agent_id or self._own_agent(caller)
        return WantedCall.of(caller, room_of(self._stage.directory, params.room), params.agent_id)

    async def locate(self, caller: Caller, params: wire.CallRef | AwaitCall) -> LocatedCall:  # noqa: ARG002 - the shape of Locate
        """Find a call.

        Raises:
            InstarError: `not_found`.
        """
        return await self.find(params.call_id)

    def live(self, call_id: str) -> Live | None:
        """Return a call that has not ended, or None."""
        return self._stage.living.get(call_id)

    async def find(self, call_id: str) -> LocatedCall:
        """Find a call, in memory or on disk.

        Raises:
            InstarError: `not_found`.
        """
        live = self._stage.living.get(call_id)
        record = live.record if live else await self._stage.store.read(lambda reader: records.find(reader, call_id))
        if record is None:
            raise missing("call", call_id)
        return LocatedCall(record, self._room(record), live)

    async def _admits(self, caller: Caller, verb: Verb, call_id: str) -> bool:
        try:
            located = await self.find(call_id)
        except InstarError:
            return False
        return self._stage.authority.may(caller, verb, ObjectKind.CALL, located).allowed

    def _room(self, record: CallRecord) -> RoomState | None:
        if not record.room:
            return None
        room = self._stage.directory.at(RoomKey(record.room), record.course.seq or records.NEWEST)
        if room is None:
            raise missing("call", record.id)
        return room

    def _own_agent(self, caller: Caller) -> str:
        authority = self._stage.authority
        if authority.is_attendant(caller):
            return ""
        own = authority.speakers.owned_by(caller.grant.id) | (caller.grant.agents or frozenset())
        if len(own) > 1:
            raise InstarError(
                "unprocessable_entity", f"the credential speaks for {len(own)} agents", hint="Name one: `agent_id`."
            )
        return next(iter(own), "")

    # Asking

    async def start(self, act: Act[StartCall, WantedCall]) -> Call:
        """Ask for a call; with `wait`, answer when it has ended or the time is up.

        Raises:
            InstarError: `unprocessable_entity` (tool, arguments); `overloaded` (too many live, see `Shares.check`);
                `id_reused`.
        """
        wanted = act.params
        request = _request_of(wanted, act.caller)
        await check_job(self._stage, act.caller, wanted)
        requester, shares = act.caller.principal.id, self._stage.shares
        shares.check(requester)
        record = CallRecord(
            new_id("call"), CallState.ADMITTED, wanted.room, requester, request, None, Course(), b"",
            self._stage.clock(),
        )  # fmt: skip
        act.audit_subject = record.id

        async def work(tx: Transaction) -> Call:
            shares.check(requester)  # Again: others of the same moment were counted since.
            stored = await records.insert(tx, record)
            shares.hold(requester, record.id)
            self._admitting[record.id] = stored
            return stored.view()

        try:
            call = await act.transact(work, Call)
        except InstarError:
            self._admitting.pop(record.id, None)
            shares.release(record.id)
            raise
        live = self._stage.living.get(call.id)
        if live is None:
            return await self.settled(await self.find(call.id))
        return await self.await_end(live, wanted.wait)

    def _admitted(self, event: Event) -> None:
        """Begin a call at its place in the log, whatever has become of the request that asked for it."""
        if self._admitting:
            call_id = msgspec.json.decode(event.payload, type=_Named).id
            record = self._admitting.pop(call_id, None)
            if record is not None and not self._stage.is_closing:
                self._dispatch.begin(self._stage.open(record))

    async def await_end(self, live: Live, wait_s: float, *, until_decided: bool = False) -> Call:
        """Return a call once it has ended (or, `until_decided`, waits for no approval), or as it is after so long."""
        deadline = time.monotonic() + wait_s
        was_waiting = live.state is CallState.AWAITING_APPROVAL
        while not (live.final or self._stage.is_closing) and (left_s := deadline - time.monotonic()) > 0:
            if until_decided and was_waiting and live.state is not CallState.AWAITING_APPROVAL:
                break
            await live.changes.next(left_s)
        return live.view()

    async def get(self, act: Act[AwaitCall, LocatedCall]) -> Call:
        """Show a call; with `wait`, once it has ended, or was decided about if it waits for an approval."""
        located = act.object
        if located.live is None:
            return await self.settled(located)
        return await self.await_end(located.live, act.params.wait, until_decided=True)

    async def settled(self, located: LocatedCall) -> Call:
        """Return a call that nobody works on; an ended one with the end of what it wrote, as far as that is kept."""
        record, outputs = located.record, self._stage.outputs
        return await with_tails(record.view(), lambda channel: outputs.tail(record.id, channel))

    def _reads(self, caller: Caller, record: CallRecord) -> bool:
        room = None
        if record.room:
            room = self._stage.directory.at(RoomKey(record.room), record.course.seq or records.NEWEST)
            if room is None:
                return False
        located = LocatedCall(record, room, None)
        return self._stage.authority.may(caller, Verb.READ, ObjectKind.CALL, located).allowed

    # Orders

    async def cancel(self, act: Act[wire.CancelCall, LocatedCall]) -> Call:
        """Stop a call and answer when it has ended, or with where it stands when its executor is slow to obey.

        Raises:
            InstarError: `conflict` when it has ended before.
        """
        act.audit_subject = act.object.id
        live = act.object.live
        if live is None or live.final is not None:
            raise InstarError("conflict", f"call {act.object.id!r} has ended before: {act.object.record.state}")
        reason = act.params.reason or f"cancelled by {act.caller.principal.id}"
        live.stop(Wish(Move.CANCEL, "cancelled", reason))
        return await self.await_end(live, CANCEL_WAIT_S)

    async def signal(self, act: Act[wire.SignalCall, LocatedCall]) -> Call:
        """Send a signal to a call's processes.

        Raises:
            InstarError: `conflict` when it does not run; what its executor refuses.
        """
        act.audit_subject = act.object.id
        return await self._order(act.object, "signal", CallOrder(act.object.id, signal=act.params.signal))

    async def resize(self, act: Act[wire.ResizeCall, LocatedCall]) -> Call:
        """Tell a call's terminal its size.

        Raises:
            InstarError: `conflict` when it does not run or has no terminal.
        """
        if act.object.record.request.terminal is None:
            raise InstarError("conflict", f"call {act.object.id!r} has no terminal")
        size = CallOrder(act.object.id, rows=act.params.rows, columns=act.params.columns)
        return await self._order(act.object, "resize", size)

    async def _order(self, located: LocatedCall, method: str, order: CallOrder) -> Call:
        live = located.live
        if live is None or live.executor is None or live.severed or live.final is not None:
            raise InstarError("conflict", f"call {located.id!r} does not run", hint="See where it stands: calls.get.")
        await live.executor.order(method, order)
        return live.view()


CANCEL_WAIT_S = 20.0
"""How long an answer to `calls.cancel` waits for the end."""


class _Named(msgspec.Struct):
    id: str


def _request_of(wanted: StartCall, caller: Caller) -> Request:
    """Return what is asked for, checked as far as the hub can.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    tool = TOOLS.get(wanted.tool)
    if tool is not None:
        try:
            msgspec.convert(wanted.args, tool.params)
        except msgspec.ValidationError as error:
            raise InstarError("unprocessable_entity", f"the arguments of `{wanted.tool}` are wrong: {error}") from error
        if wanted.terminal is not None and not tool.runs_programs:
            raise InstarError("unprocessable_entity", f"`{wanted.tool}` runs no program, so it has no terminal")
        if wanted.is_background and not tool.runs_programs:
            raise InstarError("unprocessable_entity", f"`{wanted.tool}` runs no program, so it is no background job")
    if bad := next((name for name in wanted.env if not name or "=" in name or "\0" in name), None):
        raise InstarError("unprocessable_entity", f"{bad!r} is no name of a variable")
    usual_s = CALL_COMMAND_S if tool is None or wanted.tool in _COMMANDS else CALL_TOOL_S
    return Request(
        wanted.tool,
        msgspec.Raw(msgspec.json.encode(wanted.args)),
        lasting_grant(caller),
        wanted.target,
        wanted.agent_id,
        wanted.run_id,
        wanted.cwd,
        wanted.env,
        wanted.timeout_s or (0.0 if wanted.is_background else usual_s),
        wanted.terminal,
        wanted.has_input or wanted.terminal is not None or wanted.tool == "put_file",
        wanted.is_background,
        wanted.if_away,
        wanted.sandbox,
        wanted.reason,
        caller.principal.name,
        wanted.ends_unwatched,
    )
