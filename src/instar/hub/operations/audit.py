"""Handlers of `audit.*`: the log of privileged acts as operators read it, and the proof that it is whole."""

import msgspec

from instar.base.clock import to_rfc3339
from instar.hub.act import Act, Bindings, bind
from instar.store import log
from instar.store.seam import HOME, Reader, Store
from instar.store.verifying import Verdict, verify
from instar.wire import audit as wire
from instar.wire.events import AUDIT, Event
from instar.wire.limits import CATCH_UP_PAGE


class _Record(msgspec.Struct):
    """What the payloads of the audit room have in common; each type leaves out what it does not know."""

    operation: str = ""
    principal: str = ""
    grant: str = ""
    subject: str = ""
    detail: str = ""
    request_id: str = ""


class Audit:
    """Reads and verifies the audit room.

    Args:
        store: Where it is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (bind(wire.LIST, self.list), bind(wire.VERIFY, self.verify))

    async def list(self, act: Act[wire.AuditQuery, None]) -> wire.AuditList:
        """List entries, newest first.

        Raises:
            InstarError: `data_corrupt`, naming an entry that is not what was written.
        """
        query = act.params
        found = await self._store.read(lambda reader: _matching(reader, query))
        return wire.AuditList(found[: query.limit], has_more=len(found) > query.limit)

    async def verify(self, act: Act[wire.VerifyAudit, None]) -> wire.AuditProof:
        """Walk the chain from the first entry to the last."""
        noted = act.params.noted
        return await self._store.read(lambda reader: proof(reader, noted))


async def _matching(reader: Reader, query: wire.AuditQuery) -> list[wire.AuditEntry]:
    """Return the entries that fit, up to one more than asked for."""
    found: list[wire.AuditEntry] = []
    before = log.SEQ_MAX if query.before is None else query.before
    while len(found) <= query.limit:
        page = await log.before(reader, before, CATCH_UP_PAGE, rooms=[AUDIT])
        if not page:
            break
        entries = [_entry(event) for event in reversed(page)]
        found.extend(entry for entry in entries if _fits(entry, query))
        before = page[0].seq
    return found[: query.limit + 1]


def _fits(entry: wire.AuditEntry, query: wire.AuditQuery) -> bool:
    return query.principal in ("", entry.principal) and query.operation in ("", entry.operation)


def _entry(event: Event) -> wire.AuditEntry:
    record = msgspec.json.decode(event.payload, type=_Record)
    return wire.AuditEntry(
        seq=event.seq,
        id=event.id,
        at=to_rfc3339(event.created_at),
        kind=event.type,
        operation=record.operation,
        principal=record.principal or event.actor,
        grant=record.grant,
        subject=record.subject,
        detail=record.detail,
        request_id=record.request_id,
        chain=event.chain.hex(),
    )


async def proof(reader: Reader, noted: str) -> wire.AuditProof:
    """Return whether the audit room holds from its first entry to its last, and goes on from a head that was noted."""
    verdict = await verify(reader, AUDIT, is_erasable=False)
    broken_at, problem = verdict.damaged_seq, verdict.cause
    if verdict.is_sound and noted and not await _has_link(reader, noted):
        broken_at, problem = (
            verdict.head_seq,
            "the head that was noted is not in the log: its end was cut off or remade",
        )
    return _proof_of(verdict, broken_at, problem)


def _proof_of(verdict: Verdict, broken_at: int, problem: str) -> wire.AuditProof:
    return wire.AuditProof(
        is_whole=not problem,
        entries=verdict.events,
        head=verdict.head.hex(),
        head_seq=verdict.head_seq,
        broken_at=broken_at,
        problem=problem,
    )


async def _has_link(reader: Reader, noted: str) -> bool:
    sql = "SELECT seq FROM events WHERE org = ?1 AND room = ?2 AND chain = ?3"
    return await reader.row(sql, HOME, AUDIT, bytes.fromhex(noted)) is not None
