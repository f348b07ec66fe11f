from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from instar.bus.fanout import Fanout, Pump
from instar.hub.identity.authority import Authority
from instar.hub.identity.identity import Identity
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import LOCAL_OPERATOR, Caller, Grant
from instar.hub.identity.roots import anonymous_anywhere, anonymous_here, local_root
from instar.hub.identity.speakers import Speakers
from instar.store.sqlite import SqliteStore
from instar.wire.events import RoomKey
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.names import Network
from instar.wire.operation import ObjectKind
from instar.wire.rooms import RoomKind, Visibility, WritePolicy

NETWORK = Network("local", "Local")


@dataclass(frozen=True)
class Room:
    id: str = "general"
    kind: RoomKind = RoomKind.ROOM
    members: frozenset[str] = frozenset()
    visibility: Visibility = Visibility.PRIVATE
    write_policy: WritePolicy = WritePolicy.MEMBERS
    parent: str = ""
    is_removed: bool = False

    @property
    def key(self) -> RoomKey:
        return RoomKey(f"{self.kind}:{self.id}")

    def has_member(self, member: str) -> bool:
        return member in self.members


@dataclass(frozen=True)
class Said:
    room: Room
    sender_id: str


@dataclass(frozen=True)
class Named:
    id: str


@dataclass(frozen=True)
class Woken:
    room: Room
    agent_id: str


@dataclass(frozen=True)
class Planned:
    id: str
    room: Room | None


@dataclass
class World:
    """An authority with a few agents, and callers of every sort."""

    policy: AuthPolicy = field(default_factory=AuthPolicy)
    speakers: Speakers = field(default_factory=Speakers)
    room: Any = Room
    said: Any = Said
    named: Any = Named
    woken: Any = Woken

    def __post_init__(self) -> None:
        self.authority = Authority(self.policy, self.speakers, NETWORK)
        self.speakers.claim("beta", "key_b")
        self.speakers.claim("gamma", "key_g")
        self.speakers.claim("loose", "")

    @staticmethod
    def some(kind: ObjectKind) -> Any:
        """Return an object of a kind that has no rule without one; else None, any."""
        return Planned("sch_1", Room()) if kind is ObjectKind.SCHEDULE else None

    @staticmethod
    def key(
        *scopes: str,
        id: str = "key_x",  # noqa: A002 - as the grant says
        agents: set[str] | None = None,
        rooms: set[str] | None = None,
        kind: str = "key",
        is_local: bool = False,
    ) -> Caller:
        principal = Principal(id, PrincipalKind.SERVICE, "x")
        if kind == "session":
            principal = LOCAL_OPERATOR
        if kind == "agent":
            assert agents
            principal = Principal(next(iter(agents)), PrincipalKind.AGENT)
        grant = Grant(
            id,
            principal,
            kind,  # type: ignore[arg-type]
            frozenset(Scope(scope) for scope in scopes),
            None if agents is None else frozenset(agents),
            None if rooms is None else frozenset(rooms),
        )
        return Caller(grant, is_local=is_local)

    @staticmethod
    def local() -> Caller:
        return Caller(local_root(), is_local=True)

    @staticmethod
    def anonymous() -> Caller:
        return Caller(anonymous_anywhere())

    @staticmethod
    def here() -> Caller:
        return Caller(anonymous_here(), is_local=True)

    def token(self, agent: str = "beta") -> Caller:
        return self.key("write", "attach", id=f"key_{agent[0]}", agents={agent}, kind="agent")


@pytest.fixture
def world() -> Callable[..., World]:
    return lambda **policy: World(AuthPolicy(**policy))


@pytest.fixture
def pump(store: SqliteStore) -> Pump:
    made = Pump(Fanout())
    store.on_commit(lambda committed: made(committed.events))
    return made


@pytest.fixture
def make_identity(store: SqliteStore, pump: Pump) -> Callable[..., Identity]:
    def make(**arguments: Any) -> Identity:
        policy = arguments.pop("policy", AuthPolicy())
        return Identity(store, pump, policy, NETWORK, **arguments)

    return make


@pytest.fixture
async def identity(make_identity: Callable[..., Identity]) -> Identity:
    made = make_identity()
    await made.load()
    return made
