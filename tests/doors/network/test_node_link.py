"""What the hub asks of a node over one native link, driven by hand."""

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from instar.base.errors import InstarError
from instar.doors.network.node_link import NodeEnd
from instar.wire.execution import Declaration
from instar.wire.native.actions import Answered, End, Granted, Refused, Send, Told, Took
from instar.wire.native.flow import FlowFaultError
from instar.wire.native.frames import ErrorBody, Hello, Welcome
from instar.wire.native.machine import ServerMachine


class Session:
    """Stands for `hub.nodes.sessions.LinkedSession`."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def told(self, method: str, params: bytes) -> None:
        if method == "bad":
            raise InstarError("rate_limited", "too often")
        self.heard.append((method, params))

    def chunk(self, stream: int, channel: int, offset: int, content: memoryview) -> None:
        if channel == 0:
            raise FlowFaultError("a node sends no input")
        self.heard.append((stream, channel, offset, bytes(content)))

    def credit(self, stream: int, channel: int, upto: int) -> None:
        self.heard.append((stream, channel, upto))

    def closed(self, reason: str) -> None:
        self.heard.append(reason)


class Ends:
    """A link whose node was let in but not welcomed yet."""

    def __init__(self) -> None:
        self.machine = ServerMachine()
        self.machine.start(0.0)
        self.machine.receive(msgspec.json.encode(Hello(node=Declaration())), True, 0.0)
        self.done: list[Any] = []
        self.session = Session()
        self.node = NodeEnd(self.machine, self.done.extend, lambda: 0, "192.0.2.7")
        self.node.session = self.session  # type: ignore[assignment]

    def welcome(self) -> None:
        self.machine.welcome(Welcome("0", "local", "dev_x", ""))
        self.node.welcomed()
        self.node.welcomed()

    @property
    def sent(self) -> list[Any]:
        return [msgspec.json.decode(action.payload) for action in self.done if isinstance(action, Send)]


@pytest.fixture
async def ends() -> Ends:
    return Ends()


async def test_what_is_asked_before_the_welcome_waits_for_it(ends: Ends) -> None:
    asked = asyncio.ensure_future(ends.node.ask("prepare", b"{}"))
    await asyncio.sleep(0)
    ends.node.tell("settled", b"{}")
    assert ends.done == []
    ends.welcome()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [frame["t"] for frame in ends.sent] == ["ask"]
    ends.node.heard(Answered(1, Raw(b'{"x":1}')))
    assert await asked == b'{"x":1}'
    ends.node.heard(Answered(1, Raw(b"{}")))
    ends.node.tell("settled", b"{}")
    ends.node.credit(1, 1, 9)
    assert [frame["t"] for frame in ends.sent] == ["ask", "tell", "credit"]


async def test_refusals_and_silence(ends: Ends) -> None:
    ends.welcome()
    asked = asyncio.ensure_future(ends.node.ask("start", b"{}", stream=4))
    await asyncio.sleep(0)
    ends.node.heard(Refused(1, ErrorBody("plan_changed", "another file")))
    with pytest.raises(InstarError, match="another file") as raised:
        await asked
    assert raised.value.code == "plan_changed"
    with pytest.raises(InstarError, match="did not answer") as raised:
        await ends.node.ask("start", b"{}", timeout_s=0.0)
    assert raised.value.code == "timeout"


async def test_the_end_of_the_link_is_the_end_of_all_that_waits(ends: Ends) -> None:
    early = asyncio.ensure_future(ends.node.ask("recall", b"{}"))
    other = Ends()
    other.welcome()
    late = asyncio.ensure_future(other.node.ask("recall", b"{}"))
    await asyncio.sleep(0)
    for each in (ends, other):
        each.machine.close()
        each.node.closed("the cable")
        each.node.closed("again")
        assert each.session.heard[0] == "the cable"
    for asked in (early, late):
        with pytest.raises(InstarError, match="the cable") as raised:
            await asked
        assert raised.value.code == "node_away"
    with pytest.raises(InstarError):
        await ends.node.ask("recall", b"{}")


@pytest.mark.parametrize(
    ("said", "code"),
    [(Took(1, 0, 0, memoryview(b"x")), "bad_request"), (Told("bad", Raw(b"{}")), "rate_limited")],
    ids=["a fault of the flow", "a word too many"],
)
async def test_a_fault_of_the_nodes_ends_its_link(ends: Ends, said: Any, code: str) -> None:
    ends.welcome()
    ends.node.heard(said)
    assert isinstance(ends.done[-1], End)
    assert ends.done[-1].code == code


async def test_words_bytes_and_credit_reach_the_session(ends: Ends) -> None:
    ends.welcome()
    for said in (Told("declare", Raw(b"{}")), Took(1, 1, 0, memoryview(b"out")), Granted(1, 0, 7)):
        ends.node.heard(said)
    assert ends.session.heard == [("declare", b"{}"), (1, 1, 0, b"out"), (1, 0, 7)]
    ends.node.chunk(1, 0, 0, b"in")
    ends.node.end("conflict", "another took its place")
    assert ends.done[-1] == End("conflict", "another took its place")
    ends.node.session = None
    ends.node.heard(Told("declare", Raw(b"{}")))
