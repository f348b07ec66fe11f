"""The audit log and the hub's own log, as operators read them."""

from typing import Annotated

from msgspec import Meta, Struct

from .limits import LOG_TAIL_MAX_BYTES, LOG_TAIL_MAX_LINES, PAGE_MAX
from .operation import ObjectKind, Operation, Route, Verb


class AuditEntry(Struct, frozen=True, omit_defaults=True):
    """One privileged act, or something that was noticed about access."""

    seq: int
    id: str
    at: str
    kind: str
    """`audit.recorded`, `auth.locked`, `settings.changed` …"""
    operation: str = ""
    principal: str = ""
    grant: str = ""
    subject: str = ""
    detail: str = ""
    request_id: str = ""
    chain: str = ""
    """Hex; it fixes this entry and every one before it."""


class AuditQuery(Struct, omit_defaults=True):
    """Entries, newest first."""

    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 100
    before: int | None = None
    """Only entries with a smaller `seq`."""
    principal: str = ""
    operation: str = ""


class AuditList(Struct, frozen=True):
    """Entries, newest first."""

    entries: list[AuditEntry]
    has_more: bool


class VerifyAudit(Struct, omit_defaults=True):
    """Verify the log, and that it goes on from where it was."""

    noted: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    """A `head` that was noted earlier and elsewhere: only with it does a cut-off end show."""


class AuditProof(Struct, frozen=True, omit_defaults=True):
    """Whether the chain holds from the first entry to the last."""

    is_whole: bool
    entries: int
    head: str
    """Hex of the last link that holds: noted elsewhere, it shows later whether the end was cut off."""
    head_seq: int
    broken_at: int = 0
    """`seq` of the first entry that does not follow from those before it."""
    problem: str = ""


class LogQuery(Struct, omit_defaults=True):
    """The hub's log from a byte offset on; without one its end."""

    cursor: Annotated[int, Meta(ge=0)] | None = None
    limit: Annotated[int, Meta(ge=1, le=LOG_TAIL_MAX_LINES)] = 500
    max_bytes: Annotated[int, Meta(ge=1, le=LOG_TAIL_MAX_BYTES)] = 250_000


class LogTail(Struct, frozen=True, omit_defaults=True):
    """Whole lines of the log."""

    file: str
    cursor: int
    """Where the next read begins."""
    size: int
    lines: list[str]
    truncated: bool = False
    """Lines between the cursor that was given and the first one here were left out."""
    reset: bool = False
    """The file was begun anew, or the cursor lay too far behind: this is its end."""


LIST = Operation(
    "audit.list", AuditQuery, AuditList, Verb.OPERATE, ObjectKind.HUB,
    "List privileged acts", Route("GET", "/v1/audit"),
)  # fmt: skip
VERIFY = Operation(
    "audit.verify", VerifyAudit, AuditProof, Verb.OPERATE, ObjectKind.HUB,
    "Verify the chain of the audit log", Route("GET", "/v1/audit/verify"),
)  # fmt: skip
LOGS = Operation(
    "hub.logs", LogQuery, LogTail, Verb.OPERATE, ObjectKind.HUB,
    "Read the end of the hub's log", Route("GET", "/v1/logs"),
)  # fmt: skip

OPERATIONS = (LIST, VERIFY, LOGS)
