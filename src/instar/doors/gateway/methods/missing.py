"""What Instar does not have, or not yet: one typed answer with the reason, never an empty success."""

from collections.abc import Mapping
from typing import NoReturn

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.wire.gateway.methods.missing import REASONS


async def refuse(call: Call) -> NoReturn:
    """Say that a method is not available, and why.

    Raises:
        InstarError: `not_available`, always.
    """
    name = call.method.name
    raise InstarError("not_available", f"{name} is not available yet: {REASONS[name]}", detail={"method": name})


HANDLERS: Mapping[str, Handler] = dict.fromkeys(REASONS, refuse)
