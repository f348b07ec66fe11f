"""The idempotency ledger and the audit event, written in the effect's own transaction."""

import hashlib
from typing import Any

import msgspec

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act
from instar.store.seam import HOME, Draft, Transaction
from instar.wire.events import AUDIT


class AuditRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of `audit.recorded`: who did what to which object."""

    operation: str
    principal: str
    grant: str
    subject: str = ""
    request_id: str = ""


def request_digest(params: msgspec.Struct) -> bytes:
    """Return the digest by which a repeated request is told from another one under the same key."""
    return hashlib.sha256(msgspec.json.encode(params)).digest()


class Recorder:
    """Implements `hub.act.EffectRecorder`."""

    async def replay(self, tx: Transaction, act: Act[Any, Any]) -> bytes | None:
        """Return the JSON of the first answer to this caller's idempotency key, or None.

        Raises:
            InstarError: `id_reused` when the key was used for another operation or other parameters.
        """
        if not (act.idempotency_key and act.operation.idempotent):
            return None
        row = await tx.row(
            "SELECT operation, request, result FROM ledger WHERE org = ?1 AND principal = ?2 AND key = ?3",
            HOME,
            act.caller.principal.id,
            act.idempotency_key,
        )
        if row is None:
            return None
        operation, request, result = row
        if operation != act.operation.name or request != request_digest(act.params):
            raise InstarError("id_reused", f"idempotency key {act.idempotency_key!r} was used for another request")
        return result

    async def record(self, tx: Transaction, act: Act[Any, Any], result: bytes) -> None:
        """Remember the answer under the idempotency key, and append the audit event of an audited operation."""
        at = now()
        if act.idempotency_key and act.operation.idempotent:
            await tx.execute(
                "INSERT INTO ledger (org, principal, key, operation, request, result, created_at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                HOME,
                act.caller.principal.id,
                act.idempotency_key,
                act.operation.name,
                request_digest(act.params),
                result,
                at,
            )
        if act.operation.audited:
            record = AuditRecord(
                act.operation.name, act.caller.principal.id, act.caller.grant.id, act.audit_subject, act.request_id
            )
            await tx.append(
                Draft(
                    room=AUDIT,
                    id=new_id("evt"),
                    type="audit.recorded",
                    payload=msgspec.json.encode(record),
                    created_at=at,
                    actor=act.caller.principal.id,
                )
            )


async def trim_ledger(tx: Transaction, before_us: int) -> int:
    """Forget idempotency keys older than `before_us`; return how many."""
    return await tx.execute("DELETE FROM ledger WHERE created_at < ?1", before_us)
