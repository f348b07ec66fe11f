"""Table `inbox`: the items of an agent that are not simply pending, and its low water."""

from collections.abc import Collection, Iterable

from instar.base.clock import Micros
from instar.store.seam import HOME, Reader, Row, Transaction
from instar.wire.delivery import ItemState

from .desk import Desk, Item

_COLUMNS = "seq, state, attempts, lease, until, error"


def _item(row: Row) -> Item:
    seq, state, attempts, lease, until, error = row
    return Item(seq, ItemState(state), attempts, lease, Micros(until), error)


async def read_desk(reader: Reader, agent_id: str) -> Desk | None:
    """Read the inbox of a registered agent; None when it is not registered."""
    agent = await reader.row(
        "SELECT low_water FROM agents WHERE org = ?1 AND id = ?2 AND removed_at IS NULL", HOME, agent_id
    )
    if agent is None:
        return None
    desk = Desk(agent[0], agent[0])
    sql = f"SELECT {_COLUMNS} FROM inbox WHERE org = ?1 AND agent = ?2"  # noqa: S608
    for item in map(_item, await reader.rows(sql, HOME, agent_id)):
        if item.state not in {ItemState.ACKED, ItemState.DEAD}:
            desk.items[item.seq] = item
        elif item.seq > desk.low_water:
            desk.settled.add(item.seq)
    return desk


async def read_dead(reader: Reader, agent_id: str, limit: int) -> list[Item]:
    """Read dead letters in order."""
    sql = f"SELECT {_COLUMNS} FROM inbox WHERE org = ?1 AND agent = ?2 AND state = 'dead' ORDER BY seq LIMIT ?3"  # noqa: S608
    return [_item(row) for row in await reader.rows(sql, HOME, agent_id, limit)]


async def dead_seqs(reader: Reader, agent_id: str) -> frozenset[int]:
    """Return the places of all dead letters."""
    rows = await reader.rows("SELECT seq FROM inbox WHERE org = ?1 AND agent = ?2 AND state = 'dead'", HOME, agent_id)
    return frozenset(row[0] for row in rows)


async def put_items(tx: Transaction, agent_id: str, items: Iterable[Item]) -> None:
    """Write items as they now stand."""
    for item in items:
        await tx.execute(
            "INSERT INTO inbox (org, agent, seq, state, attempts, lease, until, error)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            " ON CONFLICT (org, agent, seq) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,"
            " lease = excluded.lease, until = excluded.until, error = excluded.error",
            HOME, agent_id, item.seq, item.state, item.attempts, item.lease, item.until, item.error,
        )  # fmt: skip


async def put_settled(tx: Transaction, agent_id: str, gone: Collection[int], low_water: int) -> None:
    """Write that items are acknowledged: those above the low water as rows, the others by the low water alone."""
    for seq in gone:
        if seq <= low_water:
            await tx.execute(
                "DELETE FROM inbox WHERE org = ?1 AND agent = ?2 AND seq = ?3 AND state <> 'dead'", HOME, agent_id, seq
            )
    await put_items(tx, agent_id, (Item(seq, ItemState.ACKED) for seq in gone if seq > low_water))
    await tx.execute(
        "DELETE FROM inbox WHERE org = ?1 AND agent = ?2 AND seq <= ?3 AND state = 'acked'", HOME, agent_id, low_water
    )
    await put_low_water(tx, agent_id, low_water)


async def put_low_water(tx: Transaction, agent_id: str, low_water: int) -> None:
    """Write the low water; it never falls."""
    await tx.execute(
        "UPDATE agents SET low_water = ?3 WHERE org = ?1 AND id = ?2 AND low_water < ?3", HOME, agent_id, low_water
    )


async def put_cursor(tx: Transaction, agent_id: str, seq: int) -> None:
    """Write a feed's acknowledged place; it never falls."""
    await tx.execute(
        "UPDATE agents SET cursor = ?3 WHERE org = ?1 AND id = ?2 AND (cursor IS NULL OR cursor < ?3)",
        HOME, agent_id, seq,
    )  # fmt: skip


async def settle_through(tx: Transaction, agent_id: str, seq: int) -> None:
    """Write that everything up to `seq` is settled; dead letters stay listed."""
    await tx.execute(
        "DELETE FROM inbox WHERE org = ?1 AND agent = ?2 AND seq <= ?3 AND state <> 'dead'", HOME, agent_id, seq
    )
    await put_low_water(tx, agent_id, seq)
