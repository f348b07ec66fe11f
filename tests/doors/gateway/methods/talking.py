"""Clients of each generation that call methods and look at what comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.doors.gateway.serving import SECRET, Peer, Serving, hello

ALL = ("operator.admin", "operator.write", "operator.read", "operator.pairing", "operator.approvals")
WRITE = ("operator.write", "operator.read")
READ = ("operator.read",)


class Client:
    """A client that was admitted."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def ok(self, method: str, /, **params: Any) -> Any:
        answer = await self.peer.call(method, params)
        assert answer["ok"], answer
        return answer["payload"]

    async def fails(self, method: str, /, **params: Any) -> Any:
        answer = await self.peer.call(method, params)
        assert not answer["ok"], answer
        return answer["error"]


@asynccontextmanager
async def client(hub: Serving, *scopes: str, generation: str = "v4", token: str = SECRET) -> AsyncIterator[Client]:
    async with hub.socket() as peer:
        await peer.hello(hello(generation, scopes=list(scopes or ALL), auth={"token": token}))
        yield Client(peer)


async def rpc(hub: Serving, method: str, params: Any = None, token: str = "") -> Any:
    """Call a method as Moltis's clients do, over HTTP; return the response frame."""
    return await hub.ask("POST", "/api/rpc", {"id": "1", "method": method, "params": params or {}}, token)
