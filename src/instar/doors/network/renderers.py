"""How events look on each of this door's streams. One instance each for the whole door: the fan-out caches by it."""

from collections.abc import Sequence

import msgspec

from instar.wire.attach.frames import event_frame
from instar.wire.events import Event, render
from instar.wire.frames import text_frame
from instar.wire.messages import Target, TargetKind
from instar.wire.native.frames import events_frame, signal_frame
from instar.wire.runs import Signal
from instar.wire.sessions import as_direct

_encode = msgspec.json.Encoder().encode


class AttachRenderer:
    """EVENT frames of attach.v1, each a WebSocket frame of its own, as the dialect's clients want them."""

    __slots__ = ("_network_id",)

    def __init__(self, network_id: str) -> None:
        self._network_id = network_id

    def render(self, event: Event) -> bytes:
        """Return one EVENT frame."""
        if event.room.startswith("session:"):
            event = _as_direct(event)
        return text_frame(event_frame(self._network_id, event.id, render(event, self._network_id)))

    def join(self, rendered: Sequence[bytes]) -> bytes:
        """Return several frames for one write."""
        return b"".join(rendered)

    def signal(self, signal: Signal) -> bytes:  # noqa: ARG002 - the shape of Renderer
        """Return nothing: the dialect knows no signals."""
        return b""


class StreamRenderer:
    """Server-sent events: `id` is the cursor to resume from."""

    __slots__ = ("_network_id",)

    def __init__(self, network_id: str) -> None:
        self._network_id = network_id

    def render(self, event: Event) -> bytes:
        """Return one server-sent event."""
        return sse_event(event.id, event.type, render(event, self._network_id))

    def join(self, rendered: Sequence[bytes]) -> bytes:
        """Return several of them."""
        return b"".join(rendered)

    def signal(self, signal: Signal) -> bytes:  # noqa: ARG002 - the shape of Renderer
        """Return nothing: this stream carries no signals."""
        return b""


class LinkRenderer:
    """`events` frames of the native link: a batch is one frame."""

    __slots__ = ("_network_id",)

    def __init__(self, network_id: str) -> None:
        self._network_id = network_id

    def render(self, event: Event) -> bytes:
        """Return the event's JSON with its `seq` before it, for `join` to find the cursor."""
        return b"%d:%b" % (event.seq, render(event, self._network_id))

    def join(self, rendered: Sequence[bytes]) -> bytes:
        """Return one frame; its cursor is the `seq` of the last event."""
        parts = [one.partition(b":") for one in rendered]
        return text_frame(events_frame([json for _, _, json in parts], int(parts[-1][0])))

    def signal(self, signal: Signal) -> bytes:
        """Return one `signal` frame."""
        return text_frame(signal_frame(_encode(signal)))


class _Aimed(msgspec.Struct):
    """A payload with a target."""

    target: Target | None = None


_aimed = msgspec.json.Decoder(_Aimed).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _as_direct(event: Event) -> Event:
    """Return an event of a session as clients of attach.v1 know it: its target is a direct conversation."""
    target = _aimed(event.payload).target
    if target is None or target.kind is not TargetKind.SESSION:
        return event
    told = _members(event.payload) | {"target": msgspec.Raw(_encode(as_direct(target)))}
    return msgspec.structs.replace(event, payload=_encode(told))


def sse_event(cursor: str, kind: str, json: bytes) -> bytes:
    """Return one server-sent event; JSON holds no line break, so one `data` line is enough."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor.encode(), kind.encode(), json)
