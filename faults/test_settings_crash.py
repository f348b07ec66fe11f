"""`kill -9` while the settings are written: the old file or the new one, never a part; and never two writers (R-22)."""

import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.hub import Http, Hub
from instar.base.errors import InstarError
from instar.hub.settings.changing import Changing
from instar.hub.settings.file import hash_of, read
from instar.hub.settings.load import load
from instar.wire.limits import SETTINGS_VERSIONS_MAX

IS_LONG = bool(os.environ.get("INSTAR_FAULTS_LONG"))
KILLS = 2_000 if IS_LONG else 200
HUB_KILLS = 100 if IS_LONG else 6
WRITERS, CHANGES = 4, 25
STEPS_MIN = 12
"""So many calls of the system a change makes at least; fewer would mean that this test counts the wrong ones."""
CALLS = ("open", "fsync", "replace", "rename", "unlink", "mkdir", "close", "stat", "fdopen")
FORK = multiprocessing.get_context("fork")
START = "# kept, and so is what is unknown to a writer: é\nlog:\n  level: info   # as it was\n"


def changing(folder: Path) -> Changing:
    env = {"INSTAR_DATA_DIR": str(folder / "hub"), "INSTAR_CONFIG": str(folder / "instar.yaml")}
    return Changing(load({}, env), is_host=True)


def begin(folder: Path) -> Path:
    path = folder / "instar.yaml"
    path.write_text(START)
    return path


def written_by(work: Callable[[], Any]) -> "multiprocessing.process.BaseProcess":
    process = FORK.Process(target=work)
    process.start()
    return process


def check_whole(folder: Path, allowed: set[str]) -> None:
    """The file is one of these, private, and the next change finds everything in order."""
    path = folder / "instar.yaml"
    assert read(path).hash in allowed
    assert path.read_text().startswith(START.partition("\n")[0])
    again = changing(folder)
    again.take_note()
    versions = again.versions.all()
    assert versions[0].hash == read(path).hash
    assert len(versions) <= SETTINGS_VERSIONS_MAX + 1, "a crash may leave one that the next change trims"
    for version in versions:
        assert hash_of(again.versions.text(version.version).encode()) == version.hash


def test_a_crash_before_each_step_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    """Each call of the system that a change makes is the last thing that its process does, once."""
    for step in range(1, 1_000):
        folder = tmp_path / str(step)
        folder.mkdir()
        path = begin(folder)
        old, new = read(path).hash, hash_of(START.replace("level: info", "level: debug").encode())

        def dying(at: int = step, where: Path = folder) -> None:
            writer, base, left = changing(where), read(where / "instar.yaml").hash, [at]

            def last(real: Callable[..., Any]) -> Callable[..., Any]:
                def call(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - as what it stands before
                    left[0] -= 1
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args, **more)

                return call

            for name in CALLS:
                setattr(os, name, last(getattr(os, name)))
            writer.change({"log.level": "debug"}, base, by="me")
            os._exit(0)

        process = written_by(dying)
        process.join()
        check_whole(folder, {old, new})
        if process.exitcode == 0:
            assert read(path).hash == new
            assert step > STEPS_MIN
            return
        assert process.exitcode == -signal.SIGKILL
    raise AssertionError("the change never came to its end")


@pytest.mark.timeout(KILLS)
def test_kills_at_any_moment_leave_a_whole_file(tmp_path: Path, seed: int) -> None:
    print(f"{KILLS} kills")
    chance = random.Random(seed)
    path = begin(tmp_path)
    texts = {hash_of(START.encode())}
    levels = ("debug", "warning", "error", "info")
    texts |= {hash_of(START.replace("level: info", f"level: {level}").encode()) for level in levels}

    def write_for_ever() -> None:
        while True:
            for level in levels:
                changing(tmp_path).change({"log.level": level}, read(path).hash, by="me")

    changed = 0
    for _ in range(KILLS):
        before = read(path).hash
        process = written_by(write_for_ever)
        time.sleep(chance.uniform(0.002, 0.03))  # the moment of the fault, not a wait for luck
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the writer failed by itself"
        check_whole(tmp_path, texts)
        changed += read(path).hash != before
    assert changed > KILLS / 10, "the kills came before anything was written"


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Each adds one to a setting, again and again: with two writers at once, additions would be lost."""
    path = begin(tmp_path)
    changing(tmp_path).change({"loops.max_hops": 1}, read(path).hash, by="me")

    def count() -> None:
        done = 0
        while done < CHANGES:
            writer, base = changing(tmp_path), read(path).hash
            present = load({}, {"INSTAR_CONFIG": str(path)})
            if read(path).hash != base:
                continue
            with contextlib.suppress(InstarError):
                writer.change({"loops.max_hops": present.settings.loops.max_hops + 1}, base, by="me")
                done += 1
        os._exit(0)

    writers = [written_by(count) for _ in range(WRITERS)]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert load({}, {"INSTAR_CONFIG": str(path)}).settings.loops.max_hops == 1 + WRITERS * CHANGES


@pytest.mark.timeout(60 + HUB_KILLS * 10)
async def test_a_killed_hub_starts_with_whole_settings_and_tells_of_every_version(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub")
    chance = random.Random(7)
    await hub.start()

    async def change_for_ever(http: Http) -> None:
        budget = 0
        while True:
            budget += 1
            try:
                _, listed = await http.ask("GET", "/v1/settings")
                body = {"changes": {"runs.budget_s": budget, "network.name": f"N{budget}"}, "base_hash": listed["hash"]}
                status, answer = await http.ask("PATCH", "/v1/settings", body)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)  # the hub is down; the fault decides for how long
                continue
            assert status == 200, answer

    http = Http(hub)
    async with asyncio.TaskGroup() as group:
        changer = group.create_task(change_for_ever(http))
        for _ in range(HUB_KILLS):
            await asyncio.sleep(chance.uniform(0.1, 0.4))  # the moment of the fault
            await hub.kill()
            await hub.start()
        changer.cancel()
    http.close()
    _, history = await http.ask("GET", "/v1/settings/history")
    _, listed = await http.ask("GET", "/v1/settings")
    assert history["versions"][0]["hash"] == listed["hash"]
    told: list[int] = []
    cursor, has_more = "0", True
    while has_more:
        _, page = await http.ask("GET", f"/v1/events?after={cursor}&limit=500")
        told += [event["audit"]["version"] for event in page["events"] if event["type"] == "settings.changed"]
        cursor, has_more = page["cursor"], page["has_more"]
    http.close()
    assert told == list(range(1, history["versions"][0]["version"] + 1)), "a version is untold, or told twice"
    await hub.stop()
    assert "Traceback" not in hub.log()
