import pytest

from instar.wire.gateway.method import NODE
from instar.wire.gateway.methods import METHODS
from instar.wire.gateway.methods.missing import REASONS
from tests.doors.gateway.serving import Serving

from .talking import READ, client, rpc


async def test_what_there_is_not_says_so_and_why(hub: Serving) -> None:
    async with client(hub) as one:
        for name, reason in REASONS.items():
            if METHODS[name].scope == NODE:
                continue
            error = await one.fails(name, whatever=1)
            assert error["code"] == "UNAVAILABLE", name
            assert error["message"] == f"{name} is not available yet: {reason}"
            assert (error["details"]["code"], error["details"]["method"]) == ("NOT_AVAILABLE", name)


@pytest.mark.parametrize("name", ["no.such.method", "instar.no.such", "config", "", "__class__"])
async def test_an_unknown_name_stays_unknown(hub: Serving, name: str) -> None:
    async with client(hub, token=hub.operator) as one:
        error = await one.fails(name or "?")
        assert error["message"] == f"unknown method: {name or '?'}"
    async with client(hub, *READ) as reader:
        assert (await reader.fails(name or "?"))["details"]["missingScope"] == "operator.admin"


async def test_over_http_the_same(hub: Serving) -> None:
    frame = await rpc(hub, "terminal.open", {"command": "ls"})
    assert (frame["ok"], frame["error"]["code"]) == (False, "UNAVAILABLE")
    assert (await rpc(hub, "no.such"))["error"]["code"] == "UNKNOWN_METHOD"
