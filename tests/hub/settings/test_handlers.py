"""The operations of settings on a real store: what a change leaves on disk, in the log, and in those who obey."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import local_root
from instar.hub.operations.recorder import Recorder
from instar.hub.settings.changing import FOUND
from instar.hub.settings.handlers import SettingsHandlers
from instar.hub.settings.keys import KEYS
from instar.hub.settings.live import Live
from instar.hub.settings.load import load
from instar.store import log
from instar.store.sqlite import SqliteStore
from instar.wire import settings as wire
from instar.wire.events import AUDIT, Event

TABLE = {operation.name: operation for operation in wire.OPERATIONS}


class Desk:
    """The settings of a hub that runs, without the hub."""

    def __init__(self, folder: Path, store: SqliteStore, flags: dict[str, object] | None = None) -> None:
        env = {"INSTAR_DATA_DIR": str(folder), "XDG_CONFIG_HOME": str(folder / "none")}
        self.live = Live(load(flags or {}, env))
        self.store = store
        self.path = folder / "instar.yaml"
        handlers = SettingsHandlers(self.live, store)
        self.open = handlers.open
        self._bindings = {binding.operation.name: binding for binding in handlers.bindings()}

    async def do(self, name: str, **params: Any) -> Any:
        operation = TABLE[f"settings.{name}"]
        decoded = msgspec.convert(params, operation.params)
        caller = Caller(local_root(), is_local=True)
        act = Act(caller, operation, decoded, None, self.store, Recorder(), "req_1")
        answer = await self._bindings[operation.name].handler(act)
        await act.record(answer)
        return answer

    async def change(self, **changes: Any) -> Any:
        named = {key.replace("__", "."): value for key, value in changes.items()}
        return await self.do("change", changes=named, base_hash=(await self.do("list")).hash, comment="why")

    async def settings(self) -> dict[str, wire.Setting]:
        return {one.key: one for one in (await self.do("list")).settings}

    async def events(self) -> list[Event]:
        return await self.store.read(lambda reader: log.after(reader, 0, 100, rooms=[AUDIT]))

    async def told(self) -> list[Any]:
        return [msgspec.json.decode(one.payload) for one in await self.events() if one.type == "settings.changed"]


@pytest.fixture
async def desk(tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path / "hub", store)


async def test_every_setting_is_shown_with_its_origin_and_no_secret(tmp_path: Path, store: SqliteStore) -> None:
    desk = Desk(tmp_path / "hub", store, {"log.level": "debug", "auth.token": "canary" * 9})
    shown = await desk.do("list")
    assert [one.key for one in shown.settings] == list(KEYS)
    assert (shown.hash, shown.path) == ("", str(desk.path))
    found = await desk.settings()
    assert (found["log.level"].value, found["log.level"].origin) == ("debug", "flag")
    assert (found["auth.mode"].value, found["auth.mode"].origin) == ("bearer", "default")
    assert (found["auth.token"].value, found["auth.token"].is_secret) == ("(set)", True)
    assert found["auth.password"].value == ""
    assert all(one.meaning and one.allowed and one.env for one in shown.settings)
    assert b"canary" not in msgspec.json.encode(shown)


async def test_a_live_setting_holds_at_once_another_waits(desk: Desk) -> None:
    seen: list[float] = []
    desk.live.observe(lambda settings: seen.append(settings.runs.budget_s))
    answer = await desk.change(runs__budget_s=5, network__name="Mine")
    assert (answer.applied, answer.needs_restart) == (["runs.budget_s"], ["network.name"])
    assert seen == [600.0, 5.0]
    found = await desk.settings()
    assert (found["runs.budget_s"].value, found["runs.budget_s"].origin) == (5.0, "file")
    assert (found["network.name"].value, found["network.name"].origin) == ("Instar", "default")
    assert {key for key, one in found.items() if one.is_pending} == {"network.name"}


async def test_a_change_is_told_of_and_audited(desk: Desk) -> None:
    await desk.change(log__level="debug")
    await desk.change(log__level="info")
    told = await desk.told()
    assert [(one["version"], one["by"], one["comment"], one["changed"]) for one in told] == [
        (number, "operator", "why", ["log.level"]) for number in (1, 2)
    ]
    audited = [msgspec.json.decode(one.payload) for one in await desk.events() if one.type == "audit.recorded"]
    assert [(one["operation"], one["subject"]) for one in audited] == [
        ("settings.change", "version 1"), ("settings.change", "version 2"),
    ]  # fmt: skip


async def test_what_became_of_the_file_without_a_hub_is_told_at_the_start(desk: Desk) -> None:
    desk.path.write_text("log: {level: info}\n")
    await desk.open()
    await desk.open()
    assert [(one["version"], one["comment"]) for one in await desk.told()] == [(1, FOUND)]


async def test_a_refused_change_leaves_no_trace(desk: Desk) -> None:
    for changes in ({"auth__mode": "open"}, {"log__level": "loud"}):
        with pytest.raises(InstarError):
            await desk.change(**changes)
    assert await desk.events() == []
    assert not desk.path.exists()


async def test_the_file_without_its_secrets_and_with_its_faults(desk: Desk) -> None:
    shown = await desk.do("file")
    assert (shown.exists, shown.text, shown.hash, shown.issues) == (False, "", "", [])
    desk.path.write_text("auth: {token: canary}\nlog: {level: loud} # here\n")
    shown = await desk.do("file")
    assert shown.text == "auth: {token: (set)}\nlog: {level: loud} # here\n"
    assert len(shown.issues) == 1
    assert "canary" not in shown.issues[0]
    found = await desk.settings()
    assert not any(one.is_pending for one in found.values())
    desk.path.write_bytes(b"\xff")
    shown = await desk.do("file")
    assert (shown.text, shown.issues) == ("", ["the settings file is not UTF-8"])


async def test_replace_history_and_rollback(desk: Desk) -> None:
    await desk.change(log__level="debug")
    base = (await desk.do("file")).hash
    await desk.do("replace", text="# mine\nlog:\n  level: warning\n", base_hash=base, comment="all of it")
    history = await desk.do("history")
    assert [(one.version, one.comment) for one in history.versions] == [(2, "all of it"), (1, "why")]
    answer = await desk.do("rollback", version=1, base_hash=history.versions[0].hash)
    assert (answer.version, answer.applied, answer.hash) == (3, ["log.level"], history.versions[1].hash)
    assert (await desk.settings())["log.level"].value == "debug"


async def test_the_schema(desk: Desk) -> None:
    found = await desk.do("schema")
    assert found.schema["properties"]["log"]["properties"]["level"]["enum"]
