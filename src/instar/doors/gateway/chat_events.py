"""What is said in sessions, and how turns go, as events `chat`, `agent` and `session.message`."""

import time
from typing import Any

import msgspec

from instar.wire.events import Event
from instar.wire.gateway.method import Generation
from instar.wire.gateway.session_keys import session_key_of
from instar.wire.messages import Message
from instar.wire.runs import DeltaSignal, Run, RunState

from .outgoing import Outgoing, outgoing
from .times import millis, now_ms
from .transcript import entry
from .turn_index import Turn, TurnIndex

DELTA_S = 0.15
"""Deltas of one turn are this far apart; what comes between is told by the next."""
AGENT = "agent"

Frames = tuple[Outgoing, ...]

_decode_message = msgspec.json.Decoder(Message).decode
_decode_run = msgspec.json.Decoder(Run).decode


class ChatEvents:
    """Renders conversations for one generation. It remembers the turns under way."""

    __slots__ = ("_generation", "_turns")

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._turns = TurnIndex()

    def message(self, event: Event) -> Frames:
        """Render a message: an agent's is the end of a turn; generation 4 may hear everybody's."""
        said = _decode_message(event.payload)
        self._turns.said(said.id)
        owner = _owner(said, event.room)
        key = session_key_of(event.room, owner) if owner else None
        if key is None:
            return ()
        session, shown = str(key), entry(said, owner)
        frames: Frames = ()
        if self._generation is Generation.V4:
            told = {"sessionKey": session, "messageId": said.id, "messageSeq": event.seq, "message": shown}
            frames = (outgoing("session.message", told, session=session),)
        if said.from_.type == AGENT and said.from_.id == owner:
            frames += (self._final(said, session, shown),)
        return frames

    def _final(self, said: Message, session: str, shown: dict[str, Any]) -> Outgoing:
        turn = self._turns.find(said.run) if said.run else None
        if turn is not None:
            turn.has_spoken = True
            run_id, seq = turn.id, _next_chat(turn)
        else:
            run_id, seq = self._turns.cause_of(said.cause) or f"inject-{said.id}", 0
        told = {"runId": run_id, "sessionKey": session, "seq": seq, "state": "final", "message": shown}
        return outgoing("chat", told, session=session)

    def started(self, event: Event) -> Frames:
        """Render the start of a turn."""
        run = _decode_run(event.payload)
        turn = self._turns.begin(run)
        turn.seq = max(turn.seq, 1)
        return (
            _agent(turn, 1, "lifecycle", {"phase": "start", "startedAt": millis(run.started_at or run.created_at)}),
        )

    def finished(self, event: Event) -> Frames:
        """Render the end of a turn. What the agent said came before it, as a message of its own."""
        run = _decode_run(event.payload)
        turn = self._turns.end(run)
        times = {"startedAt": millis(run.started_at or run.created_at), "endedAt": millis(run.ended_at)}
        if run.state is RunState.FAILED:
            lifecycle = _agent(turn, _next(turn), "lifecycle", {"phase": "error", "error": run.error, **times})
            return lifecycle, _chat(turn, "error", errorMessage=run.error)
        lifecycle = _agent(turn, _next(turn), "lifecycle", {"phase": "end", **times})
        if run.state is RunState.CANCELLED:
            return lifecycle, _chat(turn, "aborted", stopReason="rpc", **_partial(run.partial))
        return (lifecycle,) if turn.has_spoken else (lifecycle, _chat(turn, "final"))

    def delta(self, signal: DeltaSignal) -> Frames:
        """Render more of the text of a turn. A turn that was not heard from its start waits for its message."""
        turn = self._turns.find(signal.run_id)
        if turn is None or signal.offset != len(turn.text):
            return ()
        turn.text += signal.text
        at = time.monotonic()
        if at - turn.shown_at < DELTA_S:
            return ()
        fresh, turn.shown, turn.shown_at = turn.text[len(turn.shown) :], turn.text, at
        more = {"deltaText": fresh} if self._generation is Generation.V4 else {}
        return (
            _agent(turn, _next(turn), "assistant", {"text": turn.text, "delta": fresh}),
            _chat(turn, "delta", **_partial(turn.text), **more),
        )


def _owner(said: Message, room: str) -> str:
    """Return as whose conversation a message is shown: of the session's agent; in a room, of the agent that speaks or
    is spoken to."""
    key = session_key_of(room, "")
    if key is not None and key.is_session:
        return key.agent_id
    if said.from_.type == AGENT:
        return said.from_.id
    return said.mentions[0].rpartition("/")[2] if said.mentions else ""


def _partial(text: str) -> dict[str, Any]:
    """Return the message that a turn is about to become."""
    if not text:
        return {}
    content = [{"type": "text", "text": text}]
    return {"message": {"role": "assistant", "content": content, "timestamp": now_ms()}}


def _next_chat(turn: Turn) -> int:
    turn.chat_seq += 1
    return turn.chat_seq


def _chat(turn: Turn, state: str, **more: object) -> Outgoing:
    told = {"runId": turn.id, "sessionKey": turn.session, "seq": _next_chat(turn), "state": state, **more}
    return outgoing("chat", told, session=turn.session, is_droppable=state == "delta" or None)


def _next(turn: Turn) -> int:
    turn.seq += 1
    return turn.seq


def _agent(turn: Turn, seq: int, stream: str, told: dict[str, Any]) -> Outgoing:
    payload = {
        "runId": turn.id, "seq": seq, "stream": stream, "ts": now_ms(), "data": told, "sessionKey": turn.session,
    }  # fmt: skip
    return outgoing("agent", payload, session=turn.session, is_droppable=stream == "assistant" or None)
