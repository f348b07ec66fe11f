"""An agent as the hub decides with it, the payload that carries every change of one, and its row."""

import re
from dataclasses import dataclass, field

import msgspec

from instar.base.clock import Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.store.seam import HOME, Draft, Reader, Row, Transaction
from instar.wire.agents import AgentEvent, AgentRegistration, Wake
from instar.wire.events import DIRECTORY
from instar.wire.names import Network, fqid, is_id, parse_member

_SLUG_GAPS = re.compile(r"[^a-z0-9]+")
_COLUMNS = (
    "id, name, actor_uid, credential, runtime, wake, wake_rooms, paused, cursor, low_water, created_at, updated_at,"
    " last_seen_at"
)


class AgentRecord(AgentEvent, frozen=True, omit_defaults=True):
    """Payload of the events that change a registered agent: Moltnet's fields, then all that the registry keeps."""

    actor_uid: str = ""
    credential: str = ""
    """Id of the key that owns the agent; empty: nobody's yet."""
    runtime: str = ""
    wake: Wake = Wake.ALL
    wake_rooms: dict[str, Wake] = msgspec.field(default_factory=dict[str, Wake])
    paused: bool = False
    low_water: int = 0
    created_at: str = ""
    updated_at: str = ""
    registered_us: int = 0
    """`created_at` in microseconds."""
    updated_us: int = 0


@dataclass(slots=True, eq=False)
class AgentState:
    """A registered agent. Everything but the two places in the log is changed by the pump only."""

    id: str
    name: str
    actor_uid: str
    credential: str
    runtime: str
    wake: Wake
    wake_rooms: dict[str, Wake]
    paused: bool
    created_at: Micros
    updated_at: Micros
    cursor: int | None = None
    """Feed: the last acknowledged `seq`; None: it never attached. Kept by `hub.delivery`."""
    low_water: int = 0
    """Inbox: everything up to here is settled. Kept by `hub.delivery`."""
    last_seen_at: Micros | None = None
    fqid: str = field(default="")

    def registration(self, network: Network, *, token: str = "", created: bool = False) -> AgentRegistration:
        """Return what a caller that registers the agent is told; `token` is shown this once."""
        return AgentRegistration(
            network.id,
            self.id,
            self.actor_uid,
            self.fqid,
            to_rfc3339(self.created_at),
            to_rfc3339(self.updated_at),
            self.name,
            token,
            created,
        )

    def draft(self, kind: str, event_id: str, network: Network, actor: str, *, reason: str = "") -> Draft:
        """Return the event that brings every projection to this state."""
        record = AgentRecord(
            self.id, network.id, self.fqid, self.name, reason=reason,
            actor_uid=self.actor_uid, credential=self.credential, runtime=self.runtime, wake=self.wake,
            wake_rooms=self.wake_rooms, paused=self.paused, low_water=self.low_water,
            created_at=to_rfc3339(self.created_at), updated_at=to_rfc3339(self.updated_at),
            registered_us=self.created_at, updated_us=self.updated_at,
        )  # fmt: skip
        return Draft(DIRECTORY, event_id, kind, msgspec.json.encode(record), self.updated_at, actor)


def of_record(record: AgentRecord) -> AgentState:
    """Return the state that an event's payload describes."""
    return AgentState(
        record.agent_id, record.name, record.actor_uid, record.credential, record.runtime, record.wake,
        dict(record.wake_rooms), record.paused, Micros(record.registered_us), Micros(record.updated_us),
        low_water=record.low_water, fqid=record.fqid,
    )  # fmt: skip


def _of_row(row: Row, network: Network) -> AgentState:
    agent_id, name, uid, credential, runtime, wake, rooms, paused, cursor, low, created, updated, seen = row
    return AgentState(
        agent_id, name, uid, credential, runtime, Wake(wake), msgspec.json.decode(rooms, type=dict[str, Wake]),
        bool(paused), Micros(created), Micros(updated), cursor, low, Micros(seen) if seen else None,
        fqid(network.id, "agents", agent_id),
    )  # fmt: skip


async def all_agents(reader: Reader, network: Network) -> list[AgentState]:
    """Read every registered agent."""
    sql = f"SELECT {_COLUMNS} FROM agents WHERE org = ?1 AND removed_at IS NULL"  # noqa: S608
    return [_of_row(row, network) for row in await reader.rows(sql, HOME)]


async def find(reader: Reader, agent_id: str, network: Network) -> AgentState | None:
    """Read one registered agent, or None."""
    sql = f"SELECT {_COLUMNS} FROM agents WHERE org = ?1 AND id = ?2 AND removed_at IS NULL"  # noqa: S608
    row = await reader.row(sql, HOME, agent_id)
    return _of_row(row, network) if row else None


async def put(tx: Transaction, agent: AgentState) -> None:
    """Write an agent's row; its places in the log are written only when it is new."""
    await tx.execute(
        "INSERT INTO agents (org, id, name, actor_uid, credential, runtime, wake, wake_rooms, paused, cursor,"
        " low_water, created_at, updated_at, last_seen_at, removed_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, ?10, ?11, ?12, NULL, NULL)"
        " ON CONFLICT (org, id) DO UPDATE SET name = excluded.name, actor_uid = excluded.actor_uid,"
        " credential = excluded.credential, runtime = excluded.runtime, wake = excluded.wake,"
        " wake_rooms = excluded.wake_rooms, paused = excluded.paused, updated_at = excluded.updated_at",
        HOME, agent.id, agent.name, agent.actor_uid, agent.credential, agent.runtime, agent.wake,
        msgspec.json.encode(agent.wake_rooms).decode(), int(agent.paused), agent.low_water, agent.created_at,
        agent.updated_at,
    )  # fmt: skip


def slug(name: str) -> str:
    """Return the id that a display name suggests: lower-case ASCII letters and digits, the rest `-` (Moltnet §2.5)."""
    return _SLUG_GAPS.sub("-", name.lower()).strip("-")[:100].strip("-") or "agent"


def local_id(text: str, network: Network) -> str:
    """Return the plain id that `id`, `net:id` or an agent FQID names.

    Raises:
        InstarError: `unprocessable_entity` when it is none of them, or names another network.
    """
    text = text.strip()
    member = parse_member(text)
    if member is None:
        raise InstarError(
            "unprocessable_entity", f"{text!r} is no agent id", hint="Use letters, digits, `.`, `_` and `-`."
        )
    if member.network_id in {"", network.id, network.name}:
        return member.id
    if not text.startswith("molt://") and is_id(text):
        raise InstarError(
            "unprocessable_entity",
            f"{text!r} names network {member.network_id!r}, this one is {network.id!r}",
            hint="Register agents of other networks there.",
        )
    raise InstarError("unprocessable_entity", f"{text!r} is no agent of network {network.id!r}")
