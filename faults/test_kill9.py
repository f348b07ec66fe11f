"""`kill -9` under load: what was acknowledged is there once, in order, and a resuming reader misses nothing."""

import asyncio
import contextlib
import os
import random
from pathlib import Path

import pytest

from faults.hub import Http, Hub, all_messages, make_room, message

CYCLES = 1_000 if os.environ.get("INSTAR_FAULTS_LONG") else 50
PUBLISHERS = 64
GONE = (OSError, asyncio.IncompleteReadError)


class Ledger:
    """What the client knows: the text of each message that was acknowledged, by id."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, str] = {}
        self.sent: set[str] = set()


async def publish(hub: Hub, name: int, ledger: Ledger) -> None:
    """Send messages until cancelled. One whose fate is unknown is sent again under its id until it is answered."""
    http = Http(hub)
    number = 0
    try:
        while True:
            number += 1
            message_id = f"m-{name}-{number}"
            ledger.sent.add(message_id)
            body = message(message_id, f"text of {message_id}")
            while message_id not in ledger.acknowledged:
                try:
                    status, answer = await http.ask("POST", "/v1/messages", body)
                except GONE:
                    await asyncio.sleep(0.01)  # the hub is down; the fault decides for how long
                    continue
                assert status == 202, answer
                ledger.acknowledged[message_id] = f"text of {message_id}"
    finally:
        http.close()


async def follow(hub: Hub, seen: list[tuple[int, str]]) -> None:
    """Read the feed by cursor for ever, across every death of the hub."""
    http = Http(hub)
    cursor = "0"
    try:
        while True:
            try:
                status, page = await http.ask("GET", f"/v1/events?after={cursor}&limit=500&wait=1")
            except GONE:
                await asyncio.sleep(0.01)
                continue
            assert status == 200, page
            seen.extend((event["seq"], event["id"]) for event in page["events"])
            cursor = page["cursor"]
    finally:
        http.close()


@pytest.mark.timeout(CYCLES * 10)
async def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    print(f"{CYCLES} cycles")
    chance = random.Random(seed)
    hub = Hub(tmp_path / "hub")
    ledger = Ledger()
    seen: list[tuple[int, str]] = []
    await hub.start()
    await make_room(hub)
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(publish(hub, name, ledger)) for name in range(PUBLISHERS)]
        workers.append(group.create_task(follow(hub, seen)))
        for _ in range(CYCLES):
            await asyncio.sleep(chance.uniform(0.05, 0.8))  # the moment of the fault, not a wait for luck
            await hub.kill()
            await hub.start()
        for worker in workers:
            worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*workers, return_exceptions=True)

    stored = await all_messages(hub)
    ids = [each["id"] for each in stored]
    texts = {each["id"]: each["parts"][0]["text"] for each in stored}
    assert len(ids) == len(set(ids)), "a message is there twice"
    assert {message_id: texts.get(message_id) for message_id in ledger.acknowledged} == ledger.acknowledged
    assert set(ids) <= ledger.sent
    for name in range(PUBLISHERS):
        numbers = [int(each.rpartition("-")[2]) for each in ids if each.startswith(f"m-{name}-")]
        assert numbers == sorted(numbers), "history is out of order"
    await _feed_is_whole(hub, seen)
    await hub.stop()
    assert "Traceback" not in hub.log()
    print(f"{len(ledger.acknowledged)} acknowledged over {CYCLES} kills")


async def _feed_is_whole(hub: Hub, seen: list[tuple[int, str]]) -> None:
    """The reader that resumed by cursor saw each event once, in order: the same that a reader from the start sees."""
    assert [seq for seq, _ in seen] == sorted({seq for seq, _ in seen}), "an event came twice or out of order"
    http = Http(hub)
    whole: list[tuple[int, str]] = []
    cursor, has_more = "0", True
    while has_more:
        _, page = await http.ask("GET", f"/v1/events?after={cursor}&limit=500")
        whole.extend((event["seq"], event["id"]) for event in page["events"])
        cursor, has_more = page["cursor"], page["has_more"]
    http.close()
    assert seen == whole[: len(seen)], "an event is missing on resume"
