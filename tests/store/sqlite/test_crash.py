"""kill -9 of a process that writes: what it acknowledged is there, once, and the chain holds."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter

from instar.store import log
from instar.store.sqlite import open_store
from instar.store.verifying import verify

WRITER = """
import asyncio, pathlib, sys
from instar.base.clock import now
from instar.store.seam import Draft
from instar.store.sqlite import open_store
from instar.wire.events import RoomKey

async def main(folder, life):
    store = await open_store(pathlib.Path(folder))
    async def write(writer):
        n = 0
        while True:
            n += 1
            event_id = f"evt_{life}_{writer}_{n}"
            room = RoomKey(f"room:{writer % 4}")
            await store.append([Draft(room, event_id, "message.created", b'{"n":%d}' % n, now(), counted=True)])
            sys.stdout.write(event_id + "\\n")
            sys.stdout.flush()
    await asyncio.gather(*(write(writer) for writer in range(16)))

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def write_and_die(folder, life, lines):
    """Return what a process acknowledged until it was killed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(life)], stdout=subprocess.PIPE)
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    assert process.wait(10) == -signal.SIGKILL
    return {line.decode().strip() for line in acknowledged if line.endswith(b"\n")}


async def test_nothing_acknowledged_is_lost(tmp_path):
    acknowledged = set()
    for life in range(4):
        acknowledged |= await asyncio.to_thread(write_and_die, tmp_path, life, 200 + 77 * life)
        store = await open_store(tmp_path)
        stored = Counter(event.id for event in await store.read(lambda reader: log.after(reader, 0, 1_000_000)))
        assert acknowledged <= stored.keys()
        assert set(stored.values()) == {1}
        heads = await store.read(log.heads)
        for room in heads:
            assert (await store.read(lambda reader, room=room: verify(reader, room))).is_sound
        assert sum(head.messages for head in heads.values()) == len(stored)
        await store.close()
