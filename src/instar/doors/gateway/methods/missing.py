"""What Instar does not have, or not yet: one typed answer with the reason, never an empty success."""

from collections.abc import Mapping
from typing import NoReturn

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.wire.gateway.errors import NEVER
from instar.wire.gateway.method import NODE
from instar.wire.gateway.methods.missing import REASONS


async def refuse(call: Call) -> NoReturn:
    """Say that a method is not available, and why.

    Raises:
        InstarError: `not_available`, always.
    """
    name = call.method.name
    detail = {"method": name}
    if call.method.scope == NODE:
        # A node host says the same again and again for as long as the answer may change.
        detail["cause"] = NEVER
    raise InstarError("not_available", f"{name} is not available yet: {REASONS[name]}", detail=detail)


HANDLERS: Mapping[str, Handler] = dict.fromkeys(REASONS, refuse)
