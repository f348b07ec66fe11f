"""Writing while the store cannot: a full disk or queue delays a run, it does not end it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from instar.base.backoff import full_jitter
from instar.base.errors import InstarError
from instar.wire.codes import CODES

T = TypeVar("T")

RETRY_BASE_S = 0.2
RETRY_MAX_S = 5.0


async def patiently(write: Callable[[], Awaitable[T]]) -> T:
    """Write, again and again while the store says that it may help (a full disk, a full queue).

    Raises:
        InstarError: The write itself is refused.
        LeaseLostError: The run is another's.
    """
    delays = full_jitter(RETRY_BASE_S, RETRY_MAX_S)
    while True:
        try:
            return await write()
        except InstarError as error:
            row = CODES.get(error.code)
            if row is None or not row.retryable:
                raise
            await asyncio.sleep(next(delays))
