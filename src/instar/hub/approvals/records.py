"""Approvals and rules as their rows and events hold them. An event carries the whole, so a projection needs no more."""

import msgspec

from instar.base.clock import Micros, from_rfc3339
from instar.base.ids import new_id
from instar.policy.digest import digest_of
from instar.store.seam import HOME, Draft, Reader, Transaction
from instar.wire.approvals import Approval, ApprovalState, KnownRule, Layer
from instar.wire.events import APPROVALS


class ApprovalRecord(Approval, frozen=True, omit_defaults=True):
    """Payload of `approval.requested` and `approval.decided`."""

    plan_digest: str = ""
    """Of what the executor would run."""
    labels: tuple[str, ...] = ()
    """Of the target, as `KEY=VALUE`, to judge it again."""
    is_lax: bool = False
    """Whether it asks for less of a sandbox than is usual: then no rule decides about it."""

    def view(self) -> Approval:
        """Return it as callers see it."""
        return Approval(**{name: getattr(self, name) for name in Approval.__struct_fields__})


_DECIDED = ("state", "digest", "decided_at", "decided_by", "feedback")


def shown_digest(record: ApprovalRecord) -> str:
    """Return the digest over everything that an approver is shown: call, requester, target, plan, values, rules."""
    shown = {name: getattr(record, name) for name in ApprovalRecord.__struct_fields__ if name not in _DECIDED}
    return digest_of(shown)


async def put(tx: Transaction, record: ApprovalRecord, at: Micros) -> None:
    """Write a new approval and the event that asks for it."""
    await tx.execute(
        "INSERT INTO approvals (org, id, call_id, digest, plan_digest, state, requester, room, body, question,"
        " created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        HOME, record.id, record.call_id, record.digest, record.plan_digest, record.state, record.requester, record.room,
        msgspec.json.encode(record).decode(), "{}", from_rfc3339(record.created_at), from_rfc3339(record.expires_at),
    )  # fmt: skip
    await _append(tx, "approval.requested", record, at, record.requester)


async def decide(tx: Transaction, record: ApprovalRecord, at: Micros, actor: str) -> bool:
    """Write what became of a pending approval and the event that says so; False: it waited no more."""
    changed = await tx.execute(
        "UPDATE approvals SET state = ?3, body = ?4, decided_at = ?5 WHERE org = ?1 AND id = ?2 AND state = ?6",
        HOME, record.id, record.state, msgspec.json.encode(record).decode(), at, ApprovalState.PENDING,
    )  # fmt: skip
    if changed:
        await _append(tx, "approval.decided", record, at, actor)
    return bool(changed)


async def find(reader: Reader, ref: str) -> ApprovalRecord | None:
    """Return an approval by its id, or the latest one of the call with this id."""
    row = await reader.row(
        "SELECT body FROM approvals WHERE org = ?1 AND (id = ?2 OR call_id = ?2) ORDER BY created_at DESC LIMIT 1",
        HOME, ref,
    )  # fmt: skip
    return _approval(row[0]) if row else None


async def pending(reader: Reader) -> list[ApprovalRecord]:
    """Return all that wait, oldest first."""
    rows = await reader.rows(
        "SELECT body FROM approvals WHERE org = ?1 AND state = ?2 ORDER BY created_at, id", HOME, ApprovalState.PENDING
    )
    return [_approval(row[0]) for row in rows]


async def count_pending(reader: Reader, requester: str = "") -> int:
    """Return how many wait, in all or of one requester."""
    row = await reader.row(
        "SELECT COUNT(*) FROM approvals WHERE org = ?1 AND state = ?2 AND (?3 = '' OR requester = ?3)",
        HOME, ApprovalState.PENDING, requester,
    )  # fmt: skip
    return row[0] if row else 0


async def decided(reader: Reader, state: ApprovalState | None, room: str, limit: int) -> list[ApprovalRecord]:
    """Return those that wait no more, newest first."""
    rows = await reader.rows(
        "SELECT body FROM approvals WHERE org = ?1 AND state <> ?2 AND (?3 = '' OR state = ?3)"
        " AND (?4 = '' OR room = ?4) ORDER BY created_at DESC, id LIMIT ?5",
        HOME, ApprovalState.PENDING, state or "", room, limit,
    )  # fmt: skip
    return [_approval(row[0]) for row in rows]


async def rules(reader: Reader) -> list[KnownRule]:
    """Return every rule that is kept, in the order of its layer."""
    rows = await reader.rows("SELECT body FROM rules WHERE org = ?1 ORDER BY layer, position, id", HOME)
    return [msgspec.json.decode(row[0], type=KnownRule) for row in rows]


async def add_rule(tx: Transaction, rule: KnownRule, at: Micros) -> KnownRule:
    """Write a remembered rule after those there are, and the event that says so; return it with its place."""
    row = await tx.row(
        "SELECT COALESCE(MAX(position), 0) FROM rules WHERE org = ?1 AND layer = ?2", HOME, Layer.REMEMBERED
    )
    placed = msgspec.structs.replace(rule, position=(row[0] if row else 0) + 1)
    await _put_rule(tx, placed)
    await _append(tx, "rule.added", placed, at, rule.created_by)
    return placed


async def remove_rule(tx: Transaction, rule: KnownRule, at: Micros, actor: str) -> bool:
    """Take a remembered rule away; False: it was gone already."""
    removed = await tx.execute("DELETE FROM rules WHERE org = ?1 AND id = ?2", HOME, rule.id)
    if removed:
        await _append(tx, "rule.removed", rule, at, actor)
    return bool(removed)


class Replaced(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of `rules.replaced`."""

    layer: Layer
    rules: list[KnownRule]
    agent_id: str = ""


async def replace_agent(tx: Transaction, agent_id: str, found: list[KnownRule], at: Micros, actor: str) -> None:
    """Replace the veto of an agent."""
    await tx.execute("DELETE FROM rules WHERE org = ?1 AND layer = ?2 AND agent_id = ?3", HOME, Layer.AGENT, agent_id)
    for rule in found:
        await _put_rule(tx, rule)
    await _append(tx, "rules.replaced", Replaced(Layer.AGENT, found, agent_id), at, actor)


async def replaced_file(tx: Transaction, found: list[KnownRule], at: Micros, actor: str) -> None:
    """Append the event that says that the static file is another one."""
    await _append(tx, "rules.replaced", Replaced(Layer.FILE, found), at, actor)


async def _put_rule(tx: Transaction, rule: KnownRule) -> None:
    await tx.execute(
        "INSERT INTO rules (org, id, layer, agent_id, position, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        HOME, rule.id, rule.layer, rule.agent_id, rule.position, msgspec.json.encode(rule).decode(),
    )  # fmt: skip


async def _append(tx: Transaction, kind: str, payload: msgspec.Struct, at: Micros, actor: str) -> None:
    await tx.append(Draft(APPROVALS, new_id("evt"), kind, msgspec.json.encode(payload), at, actor))


def _approval(body: str) -> ApprovalRecord:
    return msgspec.json.decode(body, type=ApprovalRecord)
