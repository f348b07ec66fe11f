"""The ledger: each call begins once, and what is known of it outlasts the process."""

import asyncio
from pathlib import Path

import apsw
import pytest

from instar.base import clock
from instar.base.errors import InstarError
from instar.node.ledger import Ledger
from instar.wire.execution import Ended, Outcome
from instar.wire.limits import NODE_LEDGER_KEEP_S


async def test_begins_once_now_and_after_everything(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    assert sorted(await asyncio.gather(*(ledger.begin("call_1", "exec") for _ in range(5)))) == [False] * 4 + [True]
    ledger.end(Outcome("call_1", Ended.DONE, 4))
    assert not await ledger.begin("call_1", "exec")
    ledger.settle("call_1")
    assert not await ledger.begin("call_1", "exec")
    found = await ledger.find("call_1")
    assert found is not None
    assert found.exit_status == 4
    await ledger.close()

    ledger = Ledger(tmp_path / "ledger.db")
    assert not await ledger.begin("call_1", "exec")
    assert ledger.unsettled() == []
    await ledger.close()


async def test_many_begin_at_a_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    assert all(await asyncio.gather(*(ledger.begin(f"call_{number}", "exec") for number in range(200))))
    await ledger.close()
    ledger = Ledger(tmp_path / "ledger.db")
    assert {outcome.ended for outcome in ledger.unsettled()} == {Ended.LOST}
    assert len(ledger.unsettled()) == 200
    await ledger.close()


async def test_what_does_not_run_or_is_unknown(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.end(Outcome("call_2", Ended.DONE))
    ledger.settle("call_2")
    assert await ledger.find("call_2") is None
    await ledger.begin("call_3", "exec")
    ledger.settle("call_3")
    assert await ledger.find("call_3") is None
    await ledger.close()


async def test_old_calls_are_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    for call_id in ("call_old", "call_new"):
        await ledger.begin(call_id, "exec")
        ledger.end(Outcome(call_id, Ended.DONE))
        ledger.settle(call_id)
    await ledger.close()
    database = apsw.Connection(str(tmp_path / "ledger.db"))
    long_ago = clock.now() - int((NODE_LEDGER_KEEP_S + 60) * clock.MICROS_PER_S)
    database.execute("UPDATE calls SET ended_at = ?1 WHERE call_id = 'call_old'", (long_ago,))
    database.close()
    ledger = Ledger(tmp_path / "ledger.db")
    assert await ledger.find("call_old") is None
    assert await ledger.find("call_new") is not None
    await ledger.close()


async def test_a_disk_that_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    await ledger.begin("call_1", "exec")
    whole = ledger._commit

    def full(*_: object) -> list[bool]:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(ledger, "_commit", full)
    with pytest.raises(InstarError) as refused:
        await ledger.begin("call_2", "exec")
    assert refused.value.code == "internal_error"
    ledger.end(Outcome("call_1", Ended.DONE, 1))
    await asyncio.sleep(0.1)
    with pytest.raises(InstarError):
        await ledger.find("call_9")
    monkeypatch.setattr(ledger, "_commit", whole)
    assert await ledger.begin("call_2", "exec")
    await ledger.close()
    ledger = Ledger(tmp_path / "ledger.db")
    assert {outcome.call_id: outcome.exit_status for outcome in ledger.unsettled()} == {"call_1": 1, "call_2": None}
    await ledger.close()


def test_what_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"something else" * 100)
    with pytest.raises(InstarError) as refused:
        Ledger(tmp_path / "ledger.db")
    assert refused.value.code == "internal_error"


@pytest.mark.parametrize(
    ("is_closed", "reboots", "doubtful"), [(False, True, True), (True, True, False), (False, False, False)]
)
async def test_a_machine_that_went_down_doubts_its_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_closed: bool, reboots: bool, doubtful: bool
) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    assert not ledger.is_doubtful
    if is_closed:
        await ledger.close()
    else:
        ledger._db.close()
    if reboots:
        monkeypatch.setattr("instar.node.ledger._boot_id", lambda: "another")
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.is_doubtful is doubtful
    await ledger.close()
