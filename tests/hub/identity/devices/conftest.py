"""Devices that sign, and an identity that they ask; everything is real but the door."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.credentials import Credential, Signed
from instar.hub.identity.devices.requests import PairingAsk
from instar.hub.identity.identity import Identity
from instar.hub.identity.principals import Caller
from instar.store.sqlite import SqliteStore
from instar.wire import devices as wire
from instar.wire import signatures
from instar.wire.identity import Scope
from instar.wire.operation import Nothing

OPERATOR, NODE = wire.Role.OPERATOR, wire.Role.NODE
FAR: dict[str, Any] = {"peer": "198.51.100.7"}
HERE: dict[str, Any] = {"is_local": True, "peer": "127.0.0.1"}
BROWSER: dict[str, Any] = {**HERE, "has_origin": True}
LAPTOP = wire.Facts(name="Laptop", platform="linux", family="pc", version="1")


class NoRecorder:
    async def replay(self, tx: Any, act: Any) -> bytes | None:
        return None

    async def record(self, tx: Any, act: Any, result: bytes) -> None:
        """Nothing that is recorded holds a token."""
        assert not re.search(rb"(idt|ik|is)_[\w-]{43}", result)


@dataclass
class Clock:
    """Wall-clock time that stands still until it is moved."""

    at: Micros = field(default_factory=now)

    def __call__(self) -> Micros:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at = Micros(self.at + int(seconds * MICROS_PER_S))


class Device:
    """A key, and what its holder does with it."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.key = signatures.public_key_of(seed)
        self.id = signatures.device_id(self.key)
        self._connections = 0

    def signed(self, message: bytes = b"") -> Signed:
        """Sign as a dialect does: another message for each connection."""
        self._connections += 1
        message = message or f"v3|{self.id}|{self._connections}".encode()
        return Signed(self.key, signatures.sign(self.seed, message), (b"another payload", message))

    def credential(self, *scopes: str, **more: Any) -> Credential:
        """Connect as a device of the gateway's dialect."""
        wanted = frozenset(map(Scope, scopes))
        found = {"signed": self.signed(), "role": "operator", "scopes": wanted, "dialect": "openclaw", **FAR, **more}
        return Credential(**found)

    def ask(self, *scopes: str, **more: Any) -> PairingAsk:
        return PairingAsk(
            **{
                "role": OPERATOR, "scopes": frozenset(map(Scope, scopes)), "facts": LAPTOP, "asked": scopes,
                "dialect": "openclaw", "address": "198.51.100.7", **more,
            }
        )  # fmt: skip


class Desk:
    """A hub's identity, and operations on it as `hub.operations` does them."""

    def __init__(self, identity: Identity, store: SqliteStore, clock: Clock, folder: Path) -> None:
        self.identity = identity
        self.store = store
        self.clock = clock
        self.folder = folder
        self.operator: Caller
        self.token = ""

    async def load(self) -> "Desk":
        await self.identity.load()
        self.token = await self.identity.local_grant(self.folder / "local-grant")
        self.identity.devices.hub_key.load(self.folder / "hub-key")
        self.operator = self.identity.authenticate(Credential(self.token, **HERE))
        return self

    async def do(self, operation: Any, params: Any = None, caller: Caller | None = None, peer: str = "") -> Any:
        caller, params = caller or self.operator, Nothing() if params is None else params
        binding = next(one for one in self.identity.bindings() if one.operation is operation)
        found = binding.locate(caller, params)
        found = await found if asyncio.iscoroutine(found) else found
        self.identity.authority.require(caller, operation.verb, operation.object, found)
        return await binding.handler(Act(caller, operation, params, found, self.store, NoRecorder(), peer=peer))

    async def open(self) -> None:
        await self.do(wire.OPEN, wire.OpenPairing())

    async def request(self, device: Device, *scopes: str, **more: Any) -> wire.PairingRequest:
        """Ask as a door does."""
        place = {
            name: more.pop(name) for name in ("is_local", "has_origin", "token", "password", "facts") if name in more
        }
        role = more.get("role", OPERATOR)
        credential = device.credential(*scopes, role=role.value, **place)
        if "facts" in place and place["facts"] is not None:
            more["facts"] = place["facts"]
        credential = replace(credential, alias=more.get("alias", ""), dialect=more.get("dialect", "openclaw"))
        return await self.identity.request_pairing(credential, device.ask(*scopes, **more))

    async def approve(self, request: wire.PairingRequest, **more: Any) -> wire.Device:
        caller = more.pop("caller", None)
        return await self.do(wire.APPROVE, wire.ApprovePairing(request.id, **more), caller)

    async def pair(self, device: Device, *scopes: str, given: dict[str, Any] | None = None, **more: Any) -> wire.Device:
        """Let a device in."""
        await self.open()
        return await self.approve(await self.request(device, *scopes, **more), **(given or {}))

    async def key(self, *scopes: str, **more: Any) -> tuple[Caller, str]:
        """Make a key; return its caller and its token."""
        from instar.wire import identity as keys

        made = await self.do(keys.KEYS_CREATE, keys.CreateKey("k", [Scope(scope) for scope in scopes], **more))
        return self.identity.authenticate(Credential(made.token)), made.token

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the payloads of all events of a kind."""
        import msgspec

        rows = await self.store.read(
            lambda reader: reader.rows("SELECT payload FROM events WHERE type = ?1 ORDER BY seq", kind)
        )
        return [msgspec.json.decode(row[0]) for row in rows]


async def fails(work: Any) -> InstarError:
    """Return the error that this ends in: of an awaitable, or of a call."""
    with pytest.raises(InstarError) as caught:
        await work if hasattr(work, "__await__") else work()
    return caught.value


@pytest.fixture
def device() -> Device:
    return Device(bytes(range(32)))


@pytest.fixture
def other() -> Device:
    return Device(b"\x07" * 32)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_desk(
    make_identity: Callable[..., Identity], store: SqliteStore, clock: Clock, tmp_path: Path
) -> Callable[..., Any]:
    """Start an identity on this test's store; starting another is a restart."""

    async def make(**more: Any) -> Desk:
        return await Desk(make_identity(clock=clock, **more), store, clock, tmp_path).load()

    return make


@pytest.fixture
async def desk(make_desk: Callable[..., Any]) -> Desk:
    return await make_desk()
