"""Background jobs as who asks may see them: a machine knows its jobs, the hub knows whose they are."""

from typing import Any, cast

import msgspec
from msgspec import Struct

from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.wire.calls import StartCall
from instar.wire.operation import Verb

from .records import CallRecord
from .stage import Stage

TOOL = "process"
_VERBS = {"output": Verb.READ, "kill": Verb.MANAGE}


async def check_job(stage: Stage, caller: Caller, wanted: StartCall) -> None:
    """Let a call about a job through whose call the caller may read, or, to end it, manage.

    Raises:
        InstarError: `not_found`.
    """
    call_id = str(wanted.args.get("call_id", ""))
    if wanted.tool != TOOL or not call_id:
        return
    verb = _VERBS.get(str(wanted.args.get("action", "")), Verb.READ)
    if not await stage.admits(caller, verb, call_id):
        raise missing("call", call_id)


class _Named(Struct):
    call_id: str = ""


async def visible(stage: Stage, record: CallRecord, result: object) -> object:
    """Return what a machine answered to a call, without the jobs of calls that its requester may not read."""
    if record.request.tool != TOOL or not isinstance(result, dict) or "jobs" not in result:
        return cast("object", result)
    try:
        jobs = msgspec.convert(result["jobs"], list[dict[str, Any]])
        ids = [each.call_id for each in msgspec.convert(jobs, list[_Named])]
    except msgspec.ValidationError:
        return {"jobs": []}
    caller = stage.standing(record.request.grant_id)
    shown = {each for each in ids if caller is not None and await stage.admits(caller, Verb.READ, each)}
    return {"jobs": [job for job, call_id in zip(jobs, ids, strict=True) if call_id in shown]}
