"""The table `pairing_requests`: who asked for what, and what became of it."""

import msgspec

from instar.base.clock import Micros, from_rfc3339
from instar.store.seam import HOME, Reader, Row, Transaction
from instar.wire.devices import PairingRequest, PairingState


async def insert(tx: Transaction, request: PairingRequest) -> None:
    """Store a new request."""
    await tx.execute(
        "INSERT INTO pairing_requests (org, id, device, state, body, created_at, expires_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        HOME, request.id, request.device_id, request.state.value, _json(request), from_rfc3339(request.created_at),
        from_rfc3339(request.expires_at),
    )  # fmt: skip


async def find(reader: Reader, request_id: str) -> PairingRequest | None:
    """Return the request with this id, whatever has become of it."""
    row = await reader.row("SELECT body FROM pairing_requests WHERE org = ?1 AND id = ?2", HOME, request_id)
    return _request(row) if row else None


async def pending(reader: Reader) -> list[PairingRequest]:
    """Return the requests that wait, oldest first."""
    rows = await reader.rows(
        "SELECT body FROM pairing_requests WHERE org = ?1 AND state = 'pending' ORDER BY created_at, id", HOME
    )
    return [_request(row) for row in rows]


async def settle(tx: Transaction, settled: PairingRequest, at: Micros) -> bool:
    """Store the decision on a request. Return False when it waits no more."""
    changed = await tx.execute(
        "UPDATE pairing_requests SET state = ?3, body = ?4, decided_at = ?5"
        " WHERE org = ?1 AND id = ?2 AND state = ?6",
        HOME, settled.id, settled.state.value, _json(settled), at, PairingState.PENDING.value,
    )  # fmt: skip
    return changed == 1


async def forget_settled(tx: Transaction, before: Micros) -> int:
    """Forget requests that were settled before this time; return how many. Their events stay in the log."""
    return await tx.execute("DELETE FROM pairing_requests WHERE org = ?1 AND decided_at <= ?2", HOME, before)


def _request(row: Row) -> PairingRequest:
    return msgspec.json.decode(row[0], type=PairingRequest)


def _json(request: PairingRequest) -> str:
    return msgspec.json.encode(request).decode()
