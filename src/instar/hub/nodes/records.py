"""What the hub keeps of a node: its table, and the events that say what became of it."""

from typing import Any

import msgspec
from msgspec.structs import asdict

from instar.base.clock import Micros, from_rfc3339, now, to_rfc3339
from instar.base.ids import new_id
from instar.store.seam import HOME, Draft, Reader, Row, Transaction
from instar.wire.events import NODES
from instar.wire.execution import Declaration
from instar.wire.nodes import Permit

CONNECTED = "node.connected"
DISCONNECTED = "node.disconnected"
CHANGED = "node.changed"
_COLUMNS = "id, grant_id, permit, labels, declaration, dialect, address, connected_at, last_seen_at"


class NodeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `nodes`."""

    id: str
    grant_id: str = ""
    """For which of the device's grants the permit was given; with another one the permit is void."""
    permit: Permit = Permit()
    labels: dict[str, str] = {}
    """Those that operators set."""
    declaration: Declaration = Declaration()
    dialect: str = ""
    address: str = ""
    connected_at: str = ""
    last_seen_at: str = ""


class NodeEvent(NodeRecord, frozen=True, omit_defaults=True):
    """Payload of `node.connected`, `node.disconnected` and `node.changed`: the record as it is then, and why."""

    name: str = ""
    is_connected: bool = False
    connection: str = ""
    """Which connection came or went."""
    reason: str = ""


async def everyone(reader: Reader) -> list[NodeRecord]:
    """Return every record."""
    sql = f"SELECT {_COLUMNS} FROM nodes WHERE org = ?1 ORDER BY id"  # noqa: S608
    return [_of_row(row) for row in await reader.rows(sql, HOME)]


async def find(reader: Reader, node_id: str) -> NodeRecord:
    """Return the record of a node as this transaction sees it; an empty one where there is none."""
    sql = f"SELECT {_COLUMNS} FROM nodes WHERE org = ?1 AND id = ?2"  # noqa: S608
    row = await reader.row(sql, HOME, node_id)
    return _of_row(row) if row else NodeRecord(node_id)


async def put(tx: Transaction, record: NodeRecord, kind: str, actor: str, **said: Any) -> NodeEvent:  # noqa: ANN401 - the fields of NodeEvent
    """Write a record and append the event that says so; return its payload."""
    await tx.execute(
        "INSERT INTO nodes (org, id, grant_id, permit, labels, declaration, dialect, address, connected_at,"
        " last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT (org, id) DO UPDATE SET grant_id = excluded.grant_id, permit = excluded.permit,"
        " labels = excluded.labels, declaration = excluded.declaration, dialect = excluded.dialect,"
        " address = excluded.address, connected_at = excluded.connected_at, last_seen_at = excluded.last_seen_at",
        HOME, record.id, record.grant_id, _json(record.permit), _json(record.labels), _json(record.declaration),
        record.dialect, record.address, _micros(record.connected_at), _micros(record.last_seen_at),
    )  # fmt: skip
    event = NodeEvent(**asdict(record), **said)
    await tx.append(Draft(NODES, new_id("evt"), kind, msgspec.json.encode(event), now(), actor))
    return event


async def forget(tx: Transaction, node_id: str) -> None:
    """Forget a node's record and its telemetry."""
    await tx.execute("DELETE FROM nodes WHERE org = ?1 AND id = ?2", HOME, node_id)
    await tx.execute("DELETE FROM telemetry WHERE org = ?1 AND node = ?2", HOME, node_id)


def record_of(event: NodeEvent) -> NodeRecord:
    """Return the record that an event tells of."""
    return NodeRecord(**{name: getattr(event, name) for name in NodeRecord.__struct_fields__})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _micros(text: str) -> Micros | None:
    return from_rfc3339(text) if text else None


def _of_row(row: Row) -> NodeRecord:
    node_id, grant_id, permit, labels, declaration, dialect, address, connected_at, last_seen_at = row
    return NodeRecord(
        node_id,
        grant_id,
        msgspec.json.decode(permit, type=Permit),
        msgspec.json.decode(labels, type=dict[str, str]),
        msgspec.json.decode(declaration, type=Declaration),
        dialect,
        address,
        "" if connected_at is None else to_rfc3339(Micros(connected_at)),
        "" if last_seen_at is None else to_rfc3339(Micros(last_seen_at)),
    )
