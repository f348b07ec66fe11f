"""Nodes on real sockets, against a hub in a process of its own: paired as a new user would, and hostile ones."""

import asyncio
import os
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from instar.client.errors import HubError
from instar.client.link import Link
from instar.client.serving import NodeConnection, open_node
from instar.policy.digest import plan_digest
from instar.wire import signatures
from instar.wire.execution import (
    CallOrder,
    Declaration,
    Ended,
    LedgerEntry,
    LedgerState,
    Ok,
    Outcome,
    Plan,
    Preparation,
    Prepared,
    Recalled,
    Start,
    StreamEnd,
)
from instar.wire.limits import LINK_CREDIT_BYTES
from instar.wire.native.frames import SUBPROTOCOL, Hello, chunk_frame
from instar.wire.nodes import Telemetry

from .running import RunningHub

b64 = signatures.to_base64url
WAIT_S = 15.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path_factory.mktemp("nodes") / "data", "bearer")
    running.ask("POST", "/v1/pairing/open", {})
    yield running
    running.stop()


class Machine:
    """A device that asks to be a node."""

    def __init__(self, hub: RunningHub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.seed = os.urandom(signatures.SEED_BYTES)
        self.key = signatures.public_key_of(self.seed)
        self.id = signatures.device_id(self.key)

    def signed(self, purpose: str, *scopes: str) -> dict[str, Any]:
        mine = {"public_key": b64(self.key), "client_nonce": b64(os.urandom(32))}
        _, challenge = self.hub.ask("POST", "/v1/devices/challenge", mine, token="")
        nonce = signatures.from_base64(challenge["nonce"])
        assert nonce is not None
        message = signatures.device_message(purpose, challenge["hub_id"], nonce, "node", scopes)
        proof = {"public_key": b64(self.key), "nonce": challenge["nonce"], "role": "node", "scopes": list(scopes)}
        return proof | {"signature": b64(signatures.sign(self.seed, message))}

    def join(self, **decision: Any) -> None:
        asked = self.signed("pair", "node") | {"facts": {"name": self.name}}
        status, request = self.hub.ask("POST", "/v1/devices/requests", asked, token="")
        assert status == 201, request
        status, node = self.hub.ask(
            "POST", f"/v1/nodes/requests/{request['id']}/approve", {"digest": request["digest"], **decision}
        )
        assert status == 200, node
        assert node["id"] == self.id

    def token(self) -> str:
        status, session = self.hub.ask("POST", "/v1/devices/sign-in", self.signed("sign-in"), token="")
        assert status == 200, session
        return session["token"]

    def shown(self) -> Any:
        return self.hub.ask("GET", f"/v1/nodes/{self.id}")[1]


class Service:
    """Runs what it is asked in the mind alone: the output is the input, a thousand times."""

    def __init__(self) -> None:
        self.link: NodeConnection
        self.settled = asyncio.Event()
        self.jobs: set[asyncio.Task[None]] = set()
        self.received_bytes: dict[int, bytearray] = {}

    async def asked(self, method: str, params: bytes, stream: int) -> msgspec.Struct:
        if method == "start":
            call_id = msgspec.json.decode(params, type=Start).preparation.call_id
            self.jobs.add(asyncio.ensure_future(self._run(call_id, stream)))
        if method == "recall":
            asked = msgspec.json.decode(params)["call_ids"]
            return Recalled([LedgerEntry(each, LedgerState.UNKNOWN) for each in asked])
        return Ok()

    async def _run(self, call_id: str, stream: int) -> None:
        content = b"0123456789abcdef" * 4_096
        for number in range(160):
            assert await self.link.send(stream, 1, number * len(content), content)
        size = 160 * len(content)
        self.link.tell("ended", Outcome(call_id, Ended.DONE, 0, streams=[StreamEnd(1, size)]))
        self.link.drop(stream)

    def told(self, method: str, params: bytes) -> None:
        assert (method, bool(msgspec.json.decode(params, type=CallOrder).call_id)) == ("settled", True)
        self.settled.set()

    def received(self, stream: int, channel: int, offset: int, content: bytes) -> None:
        self.received_bytes.setdefault(stream, bytearray()).extend(content)

    def granted(self, stream: int, channel: int, upto: int) -> None:
        """Credit is waited for by `send`."""


async def until(holds: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - the hub is another process
            await asyncio.sleep(0.01)


async def dial(machine: Machine, service: Any = None, **declared: Any) -> NodeConnection:
    declared.setdefault("commands", ["ping", "exec"])
    token = await asyncio.to_thread(machine.token)
    return await open_node(machine.hub.url, token, Declaration(**declared), service or Service())


async def test_a_machine_joins_reports_and_leaves(hub: RunningHub) -> None:
    machine = Machine(hub, "farm")
    machine.join(permit={"commands": ["ping"]}, labels={"zone": "a"})
    assert machine.shown()["is_stale"]
    async with await dial(machine, labels={"gpu": "yes"}) as link:
        assert link.welcome.node_id == machine.id
        link.report(Telemetry(cpu_count=3))
        await until(lambda: "telemetry" in machine.shown())
        shown = machine.shown()
        assert (shown["is_connected"], shown["commands"], shown["labels"]) == (
            True,
            ["ping"],
            {"gpu": "yes", "zone": "a"},
        )
        link.declare(Declaration(commands=["ping", "shell"]))
        await until(lambda: machine.shown()["declared"] == ["ping", "shell"])
        assert machine.shown()["commands"] == ["ping"]
        entries = hub.ask("GET", "/v1/presence")[1]["entries"]
        assert [entry["role"] for entry in entries if entry.get("device_id") == machine.id] == ["node"]
    await until(lambda: not machine.shown().get("is_connected"))
    assert len(hub.ask("GET", f"/v1/nodes/{machine.id}/telemetry")[1]["reports"]) == 1


async def test_who_is_no_node_does_not_serve(hub: RunningHub) -> None:
    for token in (hub.operator_token, hub.key("k", "observe", "write"), hub.key("n", "node")):
        link = await open_node(hub.url, token, Declaration(), Service())
        with pytest.raises(HubError) as raised:
            async with link:
                raise AssertionError
        assert raised.value.code == "forbidden"


async def test_a_node_may_serve_and_do_nothing_else(hub: RunningHub) -> None:
    """S-09: of all operations it is let in with who it is, and with what needs no right."""
    machine = Machine(hub, "curious")
    machine.join()
    async with Link(hub.url, machine.token(), feed=False) as link:
        assert (await link.call("auth.whoami"))["scopes"] == ["node"]
        assert (await link.call("calls.list"))["calls"] == []
        for operation, params in {
            "nodes.list": {}, "agents.list": {}, "approvals.list": {},
            "calls.start": {"tool": "exec", "args": {"argv": ["id"]}}, "ssh.targets": {}, "keys.list": {},
            "nodes.permit": {"node_id": machine.id, "permit": {"commands": ["*"]}},
            "nodes.label": {"node_id": machine.id, "labels": {"a": "b"}},
            "messages.send": {"target": {"kind": "room", "room_id": "r"}, "parts": [{"kind": "text", "text": "x"}]},
        }.items():  # fmt: skip
            with pytest.raises(HubError) as raised:
                await link.call(operation, params)
            assert raised.value.code in ("forbidden", "not_found"), operation


async def test_the_newest_connection_is_the_node(hub: RunningHub) -> None:
    machine = Machine(hub, "twice")
    machine.join()
    async with await dial(machine) as old, await dial(machine) as new:
        ended = await old.ended()
        assert ended.code == "conflict"
        await old.close()
        new.report(Telemetry(cpu_count=7))
        await until(lambda: machine.shown().get("telemetry", {}).get("cpu_count") == 7)
        assert machine.shown()["is_connected"]


async def test_revoking_the_device_ends_its_node_at_once(hub: RunningHub) -> None:
    machine = Machine(hub, "revoked")
    machine.join()
    async with await dial(machine) as link:
        started = time.monotonic()
        assert (await asyncio.to_thread(hub.ask, "POST", f"/v1/devices/{machine.id}/revoke", {}))[0] == 200
        async with asyncio.timeout(WAIT_S):
            ended = await link.ended()
        assert ended.code == "unauthorized"
        assert time.monotonic() - started < WAIT_S
    assert hub.ask("GET", f"/v1/nodes/{machine.id}")[0] == 404


async def test_ten_megabytes_come_through_with_credit_and_are_watched(hub: RunningHub) -> None:
    machine, service = Machine(hub, "loud"), Service()
    machine.join(permit={"commands": ["*"]})
    async with await dial(machine, service) as service.link, Link(hub.url, hub.operator_token, feed=False) as link:
        started = await link.call("calls.start", {"tool": "ping", "target": "loud", "wait": 0})
        watch = link.watch(started["id"])
        got = 0
        async with asyncio.timeout(WAIT_S):
            async for output in watch.outputs():
                assert (output.channel, output.offset) == (1, got)
                got += len(output.content)
            call = await watch.call()
        assert (call["state"], got) == ("done", 160 * 65_536)
        async with asyncio.timeout(WAIT_S):
            await service.settled.wait()
        nobodys = link.watch("call_nobody")
        with pytest.raises(HubError):
            await nobodys.call()


# Hostile nodes (S-36)

FRAMES = [
    b'{"t":"tell","method":"ended","params":{"call_id":"%(call)s","ended":"done","exit_status":0}}',
    b'{"t":"tell","method":"started","params":{"call_id":"%(call)s"}}',
    b'{"t":"tell","method":"telemetry","params":{"node_id":"%(node)s","nodeId":"%(node)s","cpu_count":666}}',
    b'{"t":"tell","method":"declare","params":{"name":"victim","commands":["*"],"labels":{"zone":"stolen"}}}',
    b'{"t":"tell","method":"exec.approval.requested","params":{}}',
    b'{"t":"reply","id":1,"result":{"plan":{}}}',
    b'{"t":"refusal","id":1,"error":{"code":"internal_error","message":"x"}}',
    b'{"t":"credit","stream":1,"channel":0,"upto":9223372036854775807}',
    b'{"t":"op","id":9,"op":"nodes.permit","params":{"node_id":"%(node)s","permit":{"commands":["*"]}}}',
    b'{"t":"op","id":8,"op":"calls.cancel","params":{"call_id":"%(call)s"}}',
    b'{"t":"watch","stream":1,"call_id":"%(call)s"}',
    b'{"t":"close_input","stream":1,"size_bytes":0}',
    b'{"t":"hello","node":{"name":"victim"}}',
    b'{"t":"tell","method":"telemetry","params":' + b"[" * 5_000,
    b"\xff\xfe",
]
ROUNDS = 300 if os.environ.get("INSTAR_FAULTS_LONG") else 12


async def test_hostile_nodes_have_no_effect_beyond_their_own_link(hub: RunningHub) -> None:
    victim, hostile, service = Machine(hub, "victim"), Machine(hub, "hostile"), Service()
    victim.join(permit={"commands": ["ping"]})
    hostile.join(permit={"commands": ["*"]})
    rng = random.Random(36)
    async with await dial(victim, service) as service.link, Link(hub.url, hub.operator_token, feed=False) as operator:
        service.link.report(Telemetry(cpu_count=1))
        for _ in range(ROUNDS):
            started = await operator.call("calls.start", {"tool": "ping", "target": "victim"})
            watch = operator.watch(started["id"])
            names = {b"call": started["id"].encode(), b"node": victim.id.encode()}
            await _attack(hostile, rng, names)
            size = 0
            async with asyncio.timeout(WAIT_S):
                async for output in watch.outputs():
                    size += len(output.content)
                call = await watch.call()
            watch.close()
            assert (call["state"], size) == ("done", 160 * 65_536)
        shown = await asyncio.to_thread(victim.shown)
        assert (shown["name"], shown["telemetry"]["cpu_count"], shown["is_connected"]) == ("victim", 1, True)
        assert (shown["declared"], shown["permit"]) == (["ping", "exec"], {"commands": ["ping"]})


async def _attack(hostile: Machine, rng: random.Random, names: dict[bytes, bytes]) -> None:
    """Say hostile things until the hub has had enough, or for a while."""
    token = await asyncio.to_thread(hostile.token)
    url = hostile.hub.url.replace("http", "ws", 1) + "/v1/attach"
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(url, additional_headers=headers, subprotocols=[SUBPROTOCOL], compression=None) as socket:  # type: ignore[list-item]
        await socket.send(msgspec.json.encode(Hello(feed=False, node=Declaration(commands=["ping"]))), text=True)
        await socket.recv()
        try:
            for _ in range(20):
                if rng.random() < 0.4:
                    where = rng.choice([0, 1, 2, 2**32 - 1]), rng.choice([0, 1, 2]), rng.choice([0, 1, 2**50])
                    await socket.send(chunk_frame(*where, rng.randbytes(rng.choice([0, 1, 70_000]))))
                else:
                    await socket.send(rng.choice(FRAMES) % names, text=True)
            await socket.recv()
        except ConnectionClosed:
            return


async def test_a_hub_that_falls_silent_is_noticed_by_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-13, from the node's end: a listener that accepts and says nothing."""
    monkeypatch.setattr("instar.client.websocket.CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(HubError) as raised:
            await open_node(f"http://127.0.0.1:{silent.getsockname()[1]}", "t", Declaration(), Service())
        assert raised.value.code == "timeout"


class Echo(Service):
    """Answers every byte of input with the same byte of output, and takes its time to say what would run."""

    def __init__(self, node_id: str) -> None:
        super().__init__()
        self.node_id = node_id
        self.call_id = ""
        self.size = -1
        self.news = asyncio.Event()

    async def asked(self, method: str, params: bytes, stream: int) -> msgspec.Struct:
        if method == "prepare":
            asked = msgspec.json.decode(params, type=Preparation)
            plan = Plan(self.node_id, asked.tool, asked.args, argv=["/bin/cat"], timeout_s=asked.timeout_s)
            return Prepared(plan, plan_digest(plan))
        if method == "close_input":
            self.size = msgspec.json.decode(params, type=CallOrder).size_bytes
            self.news.set()
        return await super().asked(method, params, stream)

    async def _run(self, call_id: str, stream: int) -> None:
        done = 0
        while done != self.size:
            content = bytes(memoryview(self.received_bytes.get(stream, bytearray()))[done:])
            if not content:
                self.news.clear()
                await self.news.wait()
                continue
            assert await self.link.send(stream, 1, done, content)
            done += len(content)
            self.link.allow(stream, 0, done + LINK_CREDIT_BYTES)
        self.link.tell("ended", Outcome(call_id, Ended.DONE, 0, streams=[StreamEnd(1, done)]))
        self.link.drop(stream)

    def received(self, stream: int, channel: int, offset: int, content: bytes) -> None:
        assert offset == len(self.received_bytes.get(stream, b""))
        super().received(stream, channel, offset, content)
        self.news.set()


async def test_input_and_output_survive_a_cut_of_the_watchers_link(hub: RunningHub) -> None:
    machine = Machine(hub, "echo")
    machine.join(permit={"commands": ["exec"]})
    service, content = Echo(machine.id), random.Random(9).randbytes(9_000_000)
    async with await dial(machine, service) as service.link, Link(hub.url, hub.operator_token, feed=False) as link:
        asked = {"tool": "exec", "args": {"argv": ["cat"]}, "target": "echo", "has_input": True}
        call = await link.call("calls.start", asked)
        await until(lambda: hub.ask("GET", "/v1/approvals")[1]["approvals"])
        [waiting] = (await link.call("approvals.list"))["approvals"]
        await link.call("approvals.approve", {"approval_id": waiting["id"], "digest": waiting["digest"]})
        got = bytearray()

        async def read() -> None:
            async for output in watch.outputs():
                assert output.offset == len(got)
                got.extend(output.content)
                if len(got) > 4_000_000 and not cuts:
                    cuts.append(True)
                    link._socket._writer.transport.abort()  # type: ignore[union-attr]

        async def write() -> None:
            for at in range(0, len(content), 100_000):
                await watch.write(content[at : at + 100_000])
            watch.close_input()

        cuts: list[bool] = []
        async with asyncio.timeout(WAIT_S), link.watch(call["id"]) as watch:
            await asyncio.gather(read(), write())
            assert (await watch.call())["state"] == "done"
        assert bytes(got) == content
        assert cuts
