"""What the audit log is told of refused callers."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity import notices as module
from instar.hub.identity.credentials import Credential
from instar.hub.identity.identity import Identity
from instar.hub.identity.notices import Notices
from instar.store import log
from instar.store.seam import AppendResult, Draft
from instar.store.sqlite import SqliteStore
from instar.wire.events import AUDIT
from instar.wire.limits import AUTH_FAILURES_MAX


async def audited(store: SqliteStore) -> list[Any]:
    events = await store.read(lambda reader: log.after(reader, 0, 50, rooms=[AUDIT]))
    return [(event.type, msgspec.json.decode(event.payload)) for event in events]


async def test_a_locked_address_is_told_once_for_each_lock(
    make_identity: Callable[..., Identity], store: SqliteStore
) -> None:
    identity = make_identity()
    await identity.load()
    for _ in range(AUTH_FAILURES_MAX + 20):
        with pytest.raises(InstarError):
            identity.authenticate(Credential("guess-nobody-may-read", peer="198.51.100.7"))
    await identity.settle()
    await identity.flush()
    told = [(kind, payload) for kind, payload in await audited(store) if kind == "auth.locked"]
    assert told == [
        ("auth.locked", {"subject": "198.51.100.7", "detail": "10 wrong credentials; refused for 300 s"}),
    ]


async def test_what_waits_is_bounded_and_kept_until_it_is_written(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSALS_WAITING_MAX", 2)
    notices = Notices(store, lambda: Micros(1))
    for number in range(5):
        notices.locked(f"198.51.100.{number}")
    await notices.flush()
    await notices.flush()
    assert [payload["subject"] for _, payload in await audited(store)] == ["198.51.100.0", "198.51.100.1"]
    notices.locked("198.51.100.9")
    await store.close()
    with pytest.raises(InstarError):
        await notices.flush()
    assert len(notices._waiting) == 1


async def test_two_duties_that_write_at_once_lose_nothing_that_comes_meanwhile(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, append = asyncio.Event(), store.append

    async def held(drafts: Sequence[Draft]) -> list[AppendResult]:
        await gate.wait()
        return await append(drafts)

    monkeypatch.setattr(store, "append", held)
    notices = Notices(store, lambda: Micros(1))
    notices.locked("198.51.100.1")
    duties = [asyncio.ensure_future(notices.flush()) for _ in range(2)]
    await asyncio.sleep(0)
    notices.locked("198.51.100.2")
    gate.set()
    await asyncio.gather(*duties)
    await notices.flush()
    assert [payload["subject"] for _, payload in await audited(store)] == ["198.51.100.1", "198.51.100.2"]
