"""A stock Moltis node joins: pairing by an operator's eye, its pinned key alone afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from conformance.moltis.node import HandshakeError, Node

from .serving import SECRET, Peer, Serving, hello, serving

APPROVE = "/v1/devices/requests"


@pytest.fixture
async def open_hub(tmp_path: Path) -> AsyncIterator[Serving]:
    """A hub whose pairing window is open, and which lets nobody in by itself."""
    async with serving(tmp_path / "data", pairing__auto_approve="off") as running:
        await running.ask("POST", "/v1/pairing/open", {"for_s": 300})
        yield running


def node(hub: Serving, node_id: str = "node-a", seed: bytes | None = None, path: str = "/ws") -> Node:
    return Node(f"ws://127.0.0.1:{hub.port}{path}", node_id, seed)


async def held(joining: Node) -> tuple[asyncio.Task[Any], Any]:
    """Let a node join until an operator has to decide; a node that is refused before says why."""
    task = asyncio.ensure_future(joining.join())
    await asyncio.wait((task, joining.pending), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    return task, joining.pending.result()


async def ended(left: Node) -> None:
    """Read until the hub ends the socket; the node may be asked for something before."""
    assert left.socket is not None
    while True:
        await left.socket.recv()


async def paired(hub: Serving, node_id: str = "node-a") -> Node:
    """Return a node that was let in and has left again."""
    joining = node(hub, node_id)
    task, pending = await held(joining)
    await hub.approve(pending["pairId"])
    await task
    await joining.leave()
    return joining


@pytest.mark.parametrize("path", ["/ws", "/ws/chat"])
async def test_an_unknown_node_waits_for_its_operator(open_hub: Serving, path: str) -> None:
    joining = node(open_hub, path=path)
    task, pending = await held(joining)
    [request] = await open_hub.requests()
    assert pending == {"pairId": request["id"], "fingerprint": joining.fingerprint}
    assert request["fingerprint"] == joining.fingerprint
    assert (request["role"], request["alias"], request["facts"]["name"]) == ("node", "node-a", "Build")
    assert not task.done()
    await open_hub.approve(request["id"])
    hello_ok = await task
    assert (hello_ok["type"], hello_ok["protocol"], hello_ok["snapshot"]) == ("hello-ok", 4, {})
    assert (hello_ok["auth"]["role"], hello_ok["auth"]["scopes"]) == ("node", [])
    assert set(hello_ok["server"]) == {"version", "host", "connId"}
    refusal = await joining.ask("agents.list", {})
    assert refusal["error"]["code"] == "FORBIDDEN"
    assert refusal["error"]["message"] == "unauthorized role: node"
    report = await joining.report()
    assert report["payload"] == {}
    await joining.leave()


async def test_a_known_key_is_enough(open_hub: Serving) -> None:
    known = await paired(open_hub)
    again = node(open_hub, seed=known.seed)
    await again.join()
    assert not again.pending.done()
    await again.leave()


async def test_a_known_key_is_enough_where_others_need_the_secret(tmp_path: Path) -> None:
    async with serving(tmp_path, auth__token=SECRET, pairing__auto_approve="off") as hub:
        await hub.ask("POST", "/v1/pairing/open", {"for_s": 300})
        known = await paired(hub)
        again = node(hub, seed=known.seed)
        await again.join()
        await again.leave()


async def test_a_closed_window(tmp_path: Path) -> None:
    async with serving(tmp_path, pairing__auto_approve="off") as hub:
        with pytest.raises(HandshakeError, match="node pairing is disabled") as refusal:
            await node(hub).join()
        assert refusal.value.code == "FORBIDDEN"
        assert await hub.requests() == []


async def test_a_rejected_node(open_hub: Serving) -> None:
    joining = node(open_hub)
    task, pending = await held(joining)
    await open_hub.ask("POST", f"{APPROVE}/{pending['pairId']}/reject", {})
    with pytest.raises(HandshakeError, match="pairing request rejected") as refusal:
        await task
    assert refusal.value.code == "FORBIDDEN"


async def test_another_key_under_a_known_name(open_hub: Serving) -> None:
    known = await paired(open_hub)
    stranger = node(open_hub)
    with pytest.raises(HandshakeError) as refusal:
        await stranger.join()
    assert refusal.value.code == "FORBIDDEN"
    assert refusal.value.message == f"key mismatch: expected {known.fingerprint}, got {stranger.fingerprint}"


async def test_a_revoked_key(open_hub: Serving) -> None:
    known = await paired(open_hub)
    again = node(open_hub, seed=known.seed)
    await again.join()
    [device] = (await open_hub.ask("GET", "/v1/devices"))["devices"]
    await open_hub.ask("POST", f"/v1/devices/{device['id']}/revoke", {})
    assert again.socket is not None
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await asyncio.wait_for(ended(again), 1)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "device removed")
    with pytest.raises(HandshakeError, match="public key has been revoked") as refusal:
        await node(open_hub, seed=known.seed).join()
    assert refusal.value.code == "FORBIDDEN"


async def test_a_node_that_goes_away_is_waited_for_no_longer(open_hub: Serving) -> None:
    joining = node(open_hub)
    task, pending = await held(joining)
    task.cancel()
    await joining.leave()
    # Its request stands: approved, the node is let in when it comes back.
    await open_hub.approve(pending["pairId"])
    again = node(open_hub, seed=joining.seed)
    await again.join()
    assert not again.pending.done()
    await again.leave()


async def test_two_sockets_of_one_node(open_hub: Serving) -> None:
    """The end of the first leaves the second where it is."""
    known = await paired(open_hub)
    first, second = node(open_hub, seed=known.seed), node(open_hub, seed=known.seed)
    await first.join()
    await second.join()
    await first.leave()
    async with open_hub.socket() as peer:
        await peer.hello(hello(auth={"token": open_hub.operator}))
        assert await connected(peer) == [True]
        await second.leave()
        while True in await connected(peer):  # noqa: ASYNC110 - what is waited for belongs to the hub
            await asyncio.sleep(0.01)


async def connected(peer: Peer) -> list[bool]:
    nodes = (await peer.call("node.list"))["payload"]["nodes"]
    return [one["connected"] for one in nodes]


async def test_an_operator_of_moltis(open_hub: Serving) -> None:
    greeting = {
        "protocol": {"min": 4, "max": 4}, "role": "operator", "auth": {"api_key": open_hub.operator},
        "client": {"id": "web", "version": "1", "platform": "linux", "mode": "ui"},
    }  # fmt: skip
    async with open_hub.socket("/ws") as peer:
        hello_ok = await peer.hello(greeting)
        assert "operator.admin" in hello_ok["auth"]["scopes"]
        unknown = (await peer.call("nope"))["error"]
        assert unknown["code"] == "UNKNOWN_METHOD"
        assert (await peer.call("subscribe", {"events": ["node.pair.requested"]}))["ok"]
        joining = node(open_hub)
        task = asyncio.ensure_future(joining.join())
        event = await peer.event("node.pair.requested")
        assert event["payload"]["fingerprint"] == joining.fingerprint
        assert event["payload"]["deviceId"] == "node-a"
        approved = await peer.call("node.pair.approve", {"id": event["payload"]["id"]})
        assert approved["ok"], approved
        await task
        await joining.leave()
    reader = await open_hub.key("observe")
    async with open_hub.socket("/ws") as peer:
        await peer.hello(greeting | {"auth": {"token": reader}})
        error = (await peer.call("node.pair.list"))["error"]
        assert (error["code"], error["message"]) == ("UNAUTHORIZED", "missing scope: operator.pairing")
    async with open_hub.socket("/ws") as peer:
        error = (await peer.connect(greeting | {"auth": {"password": "wrong"}}))["error"]
        assert (error["code"], error["message"]) == ("UNAUTHORIZED", "authentication failed")
