"""People on a real store, with passwords that cost next to nothing."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.authentication import Credential
from instar.hub.identity.identity import Identity
from instar.hub.identity.people.passwords import Passwords
from instar.hub.identity.principals import Caller
from instar.hub.operations.recorder import Recorder
from instar.store import log
from instar.store.sqlite import SqliteStore
from instar.wire import people as wire
from instar.wire.events import Event

PASSWORD = "correct horse battery"


def cheap() -> Passwords:
    return Passwords(PasswordHasher(1, 8, 1))


class World:
    """An identity, its operator, and operations as `hub.operations` does them."""

    def __init__(self, identity: Identity, store: SqliteStore) -> None:
        self.identity = identity
        self.store = store
        self.operator: Caller

    async def do(self, caller: Caller, operation: Any, params: msgspec.Struct, peer: str = "192.0.2.1") -> Any:
        return await (await self.begin(caller, operation, params, peer))()

    async def begin(self, caller: Caller, operation: Any, params: msgspec.Struct, peer: str = "192.0.2.1") -> Any:
        """Find the object and ask whether the caller may; return what then acts."""
        binding = next(one for one in self.identity.bindings() if one.operation is operation)
        found = binding.locate(caller, params)
        found = await found if asyncio.iscoroutine(found) else found
        self.identity.authority.require(caller, operation.verb, operation.object, found)
        return partial(binding.handler, Act(caller, operation, params, found, self.store, Recorder(), peer=peer))

    async def add(self, login: str = "Ada", *scopes: str, by: Caller | None = None, **more: Any) -> wire.Person:
        wanted = {"login": login, "password": PASSWORD, "scopes": list(scopes or ("observe", "write")), **more}
        return await self.do(by or self.operator, wire.ADD, msgspec.convert(wanted, wire.AddPerson))

    async def sign_in(self, login: str = "ada", password: str = PASSWORD, peer: str = "192.0.2.1") -> Caller:
        """Sign in and return who the session is."""
        return self.identity.authenticate(Credential(await self.session(login, password, peer)))

    async def session(self, login: str = "ada", password: str = PASSWORD, peer: str = "192.0.2.1") -> str:
        """Sign in and return the session's token."""
        visitor = self.identity.visitor()
        issued = await self.do(visitor, wire.PASSWORD, wire.PasswordSignIn(login, password), peer)
        return issued.token

    async def people(self, by: Caller | None = None) -> dict[str, wire.Person]:
        listed = await self.do(by or self.operator, wire.LIST, wire.LIST.params())
        return {person.login: person for person in listed.people}

    async def events(self) -> list[Event]:
        return await self.store.read(lambda reader: log.after(reader, 0, 500))

    def ended(self, token: str) -> bool:
        """Whether the hub refuses a token."""
        with pytest.raises(InstarError) as caught:
            self.identity.authenticate(Credential(token))
        return caught.value.code == "unauthorized"


@pytest.fixture
async def world(make_identity: Callable[..., Identity], store: SqliteStore, tmp_path: Path) -> World:
    identity = make_identity(passwords=cheap())
    await identity.load()
    made = World(identity, store)
    token = await identity.local_grant(tmp_path / "local-grant")
    made.operator = identity.authenticate(Credential(token, is_local=True))
    return made
