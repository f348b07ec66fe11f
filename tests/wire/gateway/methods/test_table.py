"""The one table: what each row promises holds for all of them."""

import msgspec
import pytest

from instar.doors.gateway.methods import HANDLERS
from instar.wire.gateway.method import NODE, Generation, Method
from instar.wire.gateway.methods import METHODS, SERVED
from instar.wire.gateway.methods.missing import REASONS
from instar.wire.gateway.methods.params import Params, Unserved, unserved
from instar.wire.gateway.scopes import ADMIN, SCOPES

ROWS = [pytest.param(row, id=name) for name, row in METHODS.items()]
SEED = {
    "health", "status", "system-presence", "system-event", "last-heartbeat", "set-heartbeats", "wake", "logs.tail",
    "send", "poll", "agent", "agent.wait", "agent.identity.get", "agents.list", "chat.history", "chat.send",
    "chat.abort", "chat.inject", "sessions.list", "sessions.preview", "sessions.resolve", "sessions.patch",
    "sessions.reset", "sessions.delete", "sessions.compact", "channels.status", "channels.logout",
    "web.login.start", "web.login.wait", "node.list", "node.describe", "node.invoke", "node.rename",
    "node.pair.request", "node.pair.list", "node.pair.approve", "node.pair.reject", "node.pair.verify",
    "node.invoke.result", "node.event", "skills.bins", "device.pair.list", "device.pair.approve",
    "device.pair.reject", "device.token.rotate", "device.token.revoke", "exec.approval.request",
    "exec.approval.resolve", "exec.approvals.get", "exec.approvals.set", "exec.approvals.node.get",
    "exec.approvals.node.set", "cron.list", "cron.status", "cron.runs", "cron.add", "cron.update", "cron.remove",
    "cron.run", "config.get", "config.set", "config.patch", "config.apply", "config.schema", "wizard.start",
    "wizard.next", "wizard.cancel", "wizard.status", "update.run", "models.list", "usage.status", "usage.cost",
    "skills.status", "skills.install", "skills.update", "tts.status", "talk.mode", "voicewake.get", "voicewake.set",
    "browser.request",
}  # fmt: skip


def test_every_row_has_a_handler_and_every_handler_a_row() -> None:
    assert METHODS.keys() == HANDLERS.keys()


def test_every_method_of_the_seed_is_answered() -> None:
    assert SEED - METHODS.keys() == set()


def test_what_is_missing_is_not_served() -> None:
    assert not SERVED.keys() & REASONS.keys()
    assert METHODS.keys() == SERVED.keys() | REASONS.keys()
    assert all(REASONS.values())


@pytest.mark.parametrize("row", ROWS)
def test_its_scope_is_a_word_of_the_dialect(row: Method) -> None:
    for generation in Generation:
        assert row.scope_for(generation) in {*SCOPES, NODE, ""}
    assert row.summary
    assert not row.summary.endswith(".")


@pytest.mark.parametrize("name", sorted(SERVED))
def test_its_parameters_are_closed_in_camel_case_and_have_a_schema(name: str) -> None:
    row = SERVED[name]
    for generation in row.generations:
        params = row.params_for(generation)
        schema = msgspec.json.schema(params)
        shape = schema["$defs"][params.__name__] if "$defs" in schema else schema
        if name != "health":
            assert shape["additionalProperties"] is False
        if name != "nodes.set_session":  # Moltis writes this one method's parameters in snake case
            assert not [field for field in shape.get("properties", {}) if "_" in field]
        assert params.__doc__


@pytest.mark.parametrize("name", sorted(name for name, row in SERVED.items() if row.needs_key))
def test_a_key_becomes_an_id_of_ours_and_must_fit_one(name: str) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(SERVED[name].params)}
    for key in ("no spaces", "", "x" * 129, "../up"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(key, fields["idempotency_key"].type)


def test_what_changes_anything_needs_more_than_reading() -> None:
    changing = ("set", "add", "create", "update", "delete", "remove", "patch", "apply", "reset", "inject", "run")
    for name, row in SERVED.items():
        if name.rpartition(".")[2] in changing:
            assert row.scope_for(Generation.V4) != "operator.read", name
    assert SERVED["config.set"].scope == ADMIN


class _Inner(Params):
    odd: Unserved = msgspec.UNSET


class _Outer(Params):
    name: str = ""
    inner: _Inner | None = None
    wide: Unserved = msgspec.UNSET


def test_fields_that_mean_nothing_here_are_found_wherever_they_stand() -> None:
    found = msgspec.json.decode(b'{"name":"x","wide":1,"inner":{"odd":[]}}', type=_Outer)
    assert unserved(found) == ["inner.odd", "wide"]
    assert unserved(msgspec.json.decode(b'{"wide":null}', type=_Outer)) == []
