"""A turn as the dialect reports it: from the run that a message caused."""

from typing import Any

from instar.base.errors import InstarError
from instar.wire.gateway.session_keys import SessionKey
from instar.wire.runs import AwaitedRun, Run, RunState

from .call import TurnFailedError
from .times import millis, now_ms

TURN_S = 600.0
"""How long `agent` waits for an answer, unless it is told otherwise."""


def wait_payload(run_id: str, found: AwaitedRun) -> dict[str, Any]:
    """Return what `agent.wait` answers: a turn that is under way, or that nobody knows, is a `timeout`."""
    told: dict[str, Any] = {"runId": run_id, "status": "timeout"}
    run = found.run
    if run is None:
        return told
    told["startedAt"] = millis(run.started_at or run.created_at)
    if not found.ended:
        return told
    told |= {"status": "ok" if run.state is RunState.DONE else "error", "endedAt": millis(run.ended_at)}
    return told if run.state is RunState.DONE else told | {"error": why(run)}


def final_payload(run_id: str, meant: SessionKey, found: AwaitedRun, runtime: str) -> dict[str, Any]:
    """Return what `agent` answers in the end.

    Raises:
        TurnFailedError: The turn failed, was stopped, or has not ended.
    """
    run = found.run
    if run is None or not found.ended:
        raise unfinished(run_id, meant)
    refuse_failed(run_id, run)
    provider, _, model = runtime.rpartition("/")
    spent = (millis(run.ended_at) or 0) - (millis(run.started_at or run.created_at) or 0)
    agent = {"sessionId": str(meant), "provider": provider or runtime, "model": model}
    return {
        "runId": run_id,
        "status": "ok",
        "summary": "completed",
        "result": {
            "payloads": [{"text": found.text, "mediaUrl": None}],
            "meta": {"durationMs": max(0, spent), "agentMeta": agent},
        },
    }


def chat_payload(run_id: str, found: AwaitedRun) -> dict[str, Any]:
    """Return what `chat.send` answers to a repeat.

    Raises:
        TurnFailedError: The turn failed.
    """
    run = found.run
    if run is None or not found.ended:
        return {"runId": run_id, "status": "in_flight"}
    if run.state is RunState.CANCELLED:
        told = {"runId": run_id, "status": "timeout", "summary": "aborted", "stopReason": "rpc"}
        return told | {"endedAt": millis(run.ended_at)}
    refuse_failed(run_id, run)
    return {"runId": run_id, "status": "ok"}


def refuse_failed(run_id: str, run: Run) -> None:
    """Let a turn pass that ended well.

    Raises:
        TurnFailedError: It did not.
    """
    if run.state is not RunState.DONE:
        raise TurnFailedError(why(run), {"runId": run_id, "status": "error", "summary": why(run)})


def unfinished(run_id: str, meant: SessionKey) -> TurnFailedError:
    """Return the failure of a turn that has not ended in time."""
    why_not = f"agent {meant.agent_id} has not answered in time; its turn goes on"
    return TurnFailedError(why_not, {"runId": run_id, "status": "timeout", "summary": why_not, "endedAt": now_ms()})


def why(run: Run) -> str:
    """Return in a sentence how a turn ended that did not end well."""
    return f"aborted: {run.error}" if run.state is RunState.CANCELLED else run.error or "the turn failed"


def unknown_channel(channel: str) -> InstarError:
    """Return the refusal of a channel that there is not."""
    return InstarError("bad_request", f"unknown channel: {channel[:64]}", hint="The one channel here is `instar`.")
