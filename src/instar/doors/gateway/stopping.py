"""Stopping turns: one by its id, or all of a conversation; never one of another conversation."""

from instar.base.errors import InstarError
from instar.wire import runs
from instar.wire.events import message_event_id
from instar.wire.gateway.session_keys import SessionKey, session_key_of
from instar.wire.limits import PAGE_MAX

from .call import Call
from .conversation import answer, invoke, messages

REASON = "stopped by {}"
LOOKED_AT = 200
"""Latest messages among which the causes of turns under way are looked for."""
_OVER = frozenset({runs.RunState.DONE, runs.RunState.FAILED, runs.RunState.CANCELLED})


async def stop(call: Call, meant: SessionKey, run_id: str | None) -> list[str]:
    """Stop a turn, or all turns of a conversation, and return the ids of those that were stopped.

    Raises:
        InstarError: `bad_request` for a turn of another conversation; `forbidden` for who may not stop it.
    """
    if run_id is None:
        return await _stop_all(call, meant)
    found = await answer(call, run_id, "", 0.0)
    if found.run is None:
        return []
    if found.run.room != meant.room:
        raise InstarError("bad_request", "runId does not match sessionKey", hint="Name the session of the turn.")
    return [run_id] if not found.ended and await _cancel(call, found.run) else []


async def place_of_run(call: Call, run_id: str) -> SessionKey | None:
    """Return the conversation that a turn speaks in; None: nobody knows it, or it is not the caller's to see."""
    run = (await answer(call, run_id, "", 0.0)).run
    return session_key_of(run.room, run.agent_id) if run is not None else None


async def _stop_all(call: Call, meant: SessionKey) -> list[str]:
    under_way = await runs_under_way(call, meant)
    if not under_way:
        return []
    said = {message_event_id(one.id): one.id for one in await messages(call, meant, LOOKED_AT)}
    return [said.get(run.cause, run.id) for run in under_way if await _cancel(call, run)]


async def runs_under_way(call: Call, meant: SessionKey) -> list[runs.Run]:
    """Return the turns of a conversation that have not ended, as far as the caller may read it."""
    query = runs.RunQuery(agent_id=meant.agent_id, limit=PAGE_MAX)
    found: runs.RunList = await invoke(call, runs.LIST, query)
    return [one for one in found.runs if one.room == meant.room and one.state not in _OVER]


async def _cancel(call: Call, run: runs.Run) -> bool:
    """Cancel a run; False: it had ended by itself."""
    try:
        await invoke(call, runs.CANCEL, runs.CancelRun(run.id, REASON.format(call.caller.principal.id)))
    except InstarError as error:
        if error.code != "conflict":
            raise
        return False
    return True
