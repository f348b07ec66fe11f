"""How the log and its signals look to the gateway's clients: one renderer a generation, shared by all its sockets."""

from collections.abc import Callable, Mapping, Sequence

from instar.wire.events import Event
from instar.wire.gateway.method import Generation
from instar.wire.nodes import TelemetrySignal
from instar.wire.presence import PresenceChanged
from instar.wire.runs import DeltaSignal, Signal

from . import notices
from .chat_events import ChatEvents
from .outgoing import Outgoing

Frames = tuple[Outgoing, ...]
Notice = Callable[[Event, Generation], Frames]

NOTICES: Mapping[str, Notice] = {
    "device.requested": notices.requested,
    "device.resolved": notices.resolved,
    "device.changed": notices.changed,
    "device.removed": notices.changed,
    "device.key_mismatch": notices.mismatched,
    "schedule.created": notices.scheduled,
    "schedule.updated": notices.scheduled,
    "schedule.removed": notices.scheduled,
    "schedule.fired": notices.slotted,
    "schedule.missed": notices.slotted,
    "session.opened": notices.session_changed,
    "session.updated": notices.session_changed,
    "session.reset": notices.session_changed,
    "session.removed": notices.session_changed,
    "settings.changed": notices.configured,
    "approval.requested": notices.asked,
    "approval.decided": notices.decided,
    "node.connected": notices.connected,
    "node.disconnected": notices.connected,
}
"""Event of the log → how it is told; those of conversations are `ChatEvents`'."""


class GatewayRenderer:
    """A `bus.fanout.Renderer` whose frames each connection numbers for itself.

    Args:
        generation: Whose clients read them.
        health_version: Which health there is now; presence events say it.
    """

    __slots__ = ("_chat", "_conversations", "_generation", "_health_version")

    def __init__(self, generation: Generation, health_version: Callable[[], int]) -> None:
        self._generation = generation
        self._health_version = health_version
        self._chat = chat = ChatEvents(generation)
        self._conversations: Mapping[str, Callable[[Event], Frames]] = {
            "message.created": chat.message,
            "run.started": chat.started,
            "run.finished": chat.finished,
        }

    def render(self, event: Event) -> Frames:
        """Return the events of the dialect that one of the log amounts to, the last one with its place in the log."""
        if (conversation := self._conversations.get(event.type)) is not None:
            frames = conversation(event)
        else:
            notice = NOTICES.get(event.type)
            frames = notice(event, self._generation) if notice is not None else ()
        return (*frames[:-1], frames[-1]._replace(cursor=event.seq)) if frames else ()

    def join(self, rendered: Sequence[Frames]) -> Frames:
        """Return the events of several of the log."""
        return tuple(one for frames in rendered for one in frames)

    def signal(self, signal: Signal) -> Frames:
        """Return the events that a signal amounts to."""
        match signal:
            case DeltaSignal():
                return self._chat.delta(signal)
            case PresenceChanged():
                return notices.present(signal, self._health_version())
            case TelemetrySignal():
                return notices.measured(signal) if self._generation is Generation.MOLTIS else ()
            case _:
                return ()
