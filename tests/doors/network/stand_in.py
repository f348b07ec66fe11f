"""The hub and the carrier as the door sees them, scripted: what the door itself does shows without either."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.hub.operations.hub import Presence
from instar.wire.agents import AgentRegistration
from instar.wire.events import ReplayGap
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.names import Network
from instar.wire.presence import PresenceEntry

MADE = "2026-01-01T00:00:00Z"


@dataclass
class Grant:
    id: str = "key_1"
    agents: frozenset[str] | None = None


@dataclass
class Caller:
    principal: Principal = field(default_factory=lambda: Principal("beta", PrincipalKind.AGENT))
    grant: Grant = field(default_factory=Grant)
    is_anonymous: bool = False
    scopes: frozenset[Scope] = frozenset(Scope)

    def has(self, *scopes: Scope) -> bool:
        return not self.scopes.isdisjoint(scopes)


@dataclass
class Feed:
    sink: Any
    options: dict[str, Any]
    cursor: str = "7"
    drained: int = 0
    is_closed: bool = False

    def writable(self) -> None:
        self.drained += 1


@dataclass
class Attachment:
    registration: AgentRegistration
    ends: list[tuple[str, str]] = field(default_factory=list)

    def close(self, reason: str, error: str = "") -> None:
        self.ends.append((reason, error))


class Hub:
    """Answers what `answers` says by operation name; an InstarError there is raised."""

    def __init__(self, **answers: Any) -> None:
        self.network = Network("local", "Local")
        self.answers: dict[str, Any] = {name.replace("__", "."): answer for name, answer in answers.items()}
        self.asked: list[tuple[str, Any, dict[str, Any]]] = []
        self.credentials: list[Any] = []
        self.caller = Caller()
        self.nobody = Caller(Principal("anonymous", PrincipalKind.ANONYMOUS), Grant("anonymous"), True, frozenset())
        self.feeds: list[Feed] = []
        self.attachments: list[Attachment] = []
        self.acks: list[tuple[str, str]] = []
        self.failures: list[tuple[str, str]] = []
        self.present_entries: list[PresenceEntry] = []
        self.gone: list[tuple[str, str]] = []
        self.refusal: InstarError | None = None
        self.vouched = ""
        self.watchers: list[Any] = []
        self.hold: asyncio.Event | None = None
        self.gap: ReplayGap | None = None

    def authenticate(self, credential: Any) -> Any:
        self.credentials.append(credential)
        if credential.token == "wrong":
            raise InstarError("unauthorized", "the credential is wrong")
        return self.caller

    async def vouched_for(self, request: Any) -> str:
        return self.vouched

    def visitor(self, credential: Any = None) -> Any:
        return self.nobody

    async def invoke(self, caller: Any, operation: Any, params: Any, **more: Any) -> Any:
        self.asked.append((operation.name, params, {"caller": caller, **more}))
        answer = self.answers.get(operation.name)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise InstarError("not_found", f"no answer to {operation.name}")
        return answer

    async def open_feed(self, caller: Any, sink: Any, renderer: Any, **options: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        if self.gap is not None:
            sink.gap(self.gap)
        if self.hold is not None:
            await self.hold.wait()
        feed = Feed(sink, {"caller": caller, "renderer": renderer, **options})
        self.feeds.append(feed)
        return feed

    def on_ended(self, caller: Any, callback: Any) -> Any:
        self.watchers.append(callback)
        return lambda: self.watchers.remove(callback)

    def reads_metrics(self, caller: Any) -> bool:
        return caller.has(Scope.OPERATE)

    def admit_attachment(self, caller: Any) -> None:
        if not caller.has(Scope.ATTACH):
            raise InstarError("forbidden", "needs scope attach")

    async def attach(self, caller: Any, agent_id: str, name: str) -> Any:
        if self.refusal is not None:
            raise self.refusal
        done = AgentRegistration("local", agent_id, "actor_1", f"molt://local/agents/{agent_id}", MADE, MADE, name)
        self.attachments.append(Attachment(done))
        return self.attachments[-1]

    def close_feed(self, feed: Any) -> None:
        feed.is_closed = True

    def acknowledge(self, feed: Any, agent_id: str, cursor: str) -> None:
        if cursor == "evt_unknown":
            raise InstarError("unknown_cursor", "no such cursor")
        self.acks.append((agent_id, cursor))

    def present(self, caller: Any, entry: PresenceEntry) -> Presence:
        self.present_entries.append(entry)
        return Presence(self, entry)

    def changed(self, entry: PresenceEntry) -> None:
        self.present_entries.append(entry)

    def left(self, entry: PresenceEntry, reason: str) -> None:
        self.gone.append((entry.text or entry.mode, reason))

    def failed(self, agent_id: str, error: str) -> None:
        self.failures.append((agent_id, error))


class Line:
    """A `wire.http.Connection` that keeps what was written."""

    def __init__(self) -> None:
        self.texts: list[Any] = []
        self.frames: list[bytes] = []
        self.binaries: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.is_aborted = False
        self.waiting = 0

    def send_text(self, payload: bytes) -> None:
        self.texts.append(msgspec.json.decode(payload))

    def send_binary(self, payload: bytes) -> None:
        self.binaries.append(payload)

    def send_frames(self, frames: bytes) -> None:
        self.frames.append(frames)

    def buffered_bytes(self) -> int:
        return self.waiting

    def close(self, code: int, reason: str = "") -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        self.is_aborted = True

    def take(self) -> list[Any]:
        taken, self.texts = self.texts, []
        return taken


async def settle() -> None:
    """Let started tasks run until they wait for something else."""
    for _ in range(5):
        await asyncio.sleep(0)
