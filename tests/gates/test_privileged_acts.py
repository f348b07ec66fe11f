"""Every privileged act leaves an audit event: an operation that changes who may do what, and does not, fails here."""

import pytest

from instar.wire.operation import ObjectKind, Verb
from instar.wire.table import TABLE, AnyOperation

PRIVILEGED = {Verb.GRANT, Verb.CONFIGURE, Verb.OPERATE, Verb.MANAGE}
OBJECTS = {
    ObjectKind.HUB, ObjectKind.KEY, ObjectKind.DEVICE, ObjectKind.PERSON, ObjectKind.SCHEDULE, ObjectKind.AGENT,
}  # fmt: skip
NOT_AUDITED: dict[str, str] = {
    "presence.note": "says in memory who is there; it changes no right and nothing that is kept",
}
"""Privileged operations that change something and leave no audit event, and why."""


def is_read(operation: AnyOperation) -> bool:
    return operation.route is not None and operation.route.method == "GET"


ACTS = {
    name: operation
    for name, operation in TABLE.items()
    if operation.verb in PRIVILEGED and operation.object in OBJECTS and not is_read(operation)
}


@pytest.mark.parametrize("name", sorted(ACTS))
def test_a_privileged_act_is_audited(name: str) -> None:
    assert ACTS[name].audited != (name in NOT_AUDITED)


def test_reads_are_no_acts() -> None:
    assert [name for name, operation in TABLE.items() if operation.audited and is_read(operation)] == []


def test_exceptions_are_acts_with_reasons() -> None:
    assert NOT_AUDITED.keys() <= ACTS.keys()
    assert all(NOT_AUDITED.values())
