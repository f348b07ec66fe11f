"""The first start on a data directory: org, room and guide. Later starts change nothing of what became of them."""

from collections.abc import Sequence

from instar.assistant.guide import GENERAL, GUIDE
from instar.base.clock import now
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import local_root
from instar.hub.rooms.applying import AgentApplier, Applying
from instar.store.seam import HOME, Reader, Store, Transaction
from instar.wire.rooms import ApplyAgent

ORG_NAME = "Home"
AGENTS: Sequence[ApplyAgent] = (GUIDE,)


async def declare(store: Store, rooms: Applying, agents: AgentApplier) -> bool:
    """Make what the first start makes; return whether this is it.

    The org's row is written last: a start that was cut short is made up for by the next one.
    """
    if await store.read(_has_org):
        return False
    await rooms.ensure((GENERAL,))

    async def finish(tx: Transaction) -> None:
        await agents.apply(tx, Caller(local_root(), is_local=True), AGENTS)
        await tx.execute("INSERT INTO orgs (id, name, created_at) VALUES (?1, ?2, ?3)", HOME, ORG_NAME, now())

    await store.transact(finish)
    return True


async def _has_org(reader: Reader) -> bool:
    return await reader.row("SELECT id FROM orgs WHERE id = ?1", HOME) is not None
