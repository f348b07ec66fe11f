"""One use of a tool that runs no program, from its parameters to its outcome."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import msgspec
from msgspec import Raw, Struct

from instar.base.errors import InstarError
from instar.wire.execution import Channel, Ended, Outcome

from .running import Ending
from .streams import Streams
from .tools import registry
from .tools.context import ToolContext


async def use(
    call_id: str, tool: str, streams: Streams, context: ToolContext, params: Struct, limit_s: float
) -> Outcome:
    """Use a tool and return how that ended; cancelling the task ends it. With a limit of 0 it may take for ever."""
    began_at = time.monotonic()
    result: Raw | None = None
    try:
        async with asyncio.timeout(limit_s or None):
            result = await _answer(tool, streams, context, params)
        ending = Ending(Ended.DONE)
    except TimeoutError:
        ending = Ending(Ended.EXPIRED, "timeout", f"its time was over after {limit_s:g} s")
    except asyncio.CancelledError:
        ending = Ending(Ended.CANCELLED, "cancelled", "it was cancelled")
    except InstarError as error:
        ended = Ended.CANCELLED if error.code == "cancelled" else Ended.FAILED
        ending = Ending(ended, error.code, error.message, error.hint)
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        ending = Ending(Ended.FAILED, "internal_error", f"`{tool}` failed: {error!r}"[:500])
    return Outcome(
        call_id,
        ending.ended,
        code=ending.code,
        message=ending.message,
        hint=ending.hint,
        result=result,
        streams=streams.ends(),
        duration_s=round(time.monotonic() - began_at, 6),
    )


async def _answer(tool: str, streams: Streams, context: ToolContext, params: Struct) -> Raw | None:
    answer = await registry.TOOLS[tool](context, params)
    if answer.stdout is not None:
        async with aclosing(cast("AsyncGenerator[bytes]", answer.stdout)) as pieces:
            async for piece in pieces:
                streams.wrote(Channel.STDOUT, piece)
                await streams.room(Channel.STDOUT)
    return None if answer.result is None else Raw(msgspec.json.encode(answer.result))
