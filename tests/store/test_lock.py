"""A second hub on the same directory is refused, and told who has it."""

import asyncio
import os
import socket
import subprocess
import sys

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.store.lock import DirectoryLock, Holder

SECOND = """
import asyncio, pathlib, sys
from instar.base.errors import InstarError
from instar.store.sqlite import open_store
async def main():
    for _ in range(20):
        try:
            await open_store(pathlib.Path(sys.argv[1]))
        except InstarError as error:
            print(error.code, error.message)
asyncio.run(main())
"""


async def test_another_process_is_refused_20_of_20_times(store):
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", SECOND, str(store.folder)], check=True, capture_output=True, text=True
    )
    lines = ended.stdout.splitlines()
    assert len(lines) == 20
    assert all(
        line.startswith("storage_locked") and f"process {os.getpid()} on {socket.gethostname()}" in line
        for line in lines
    )


def test_file_says_who_holds_it(tmp_path):
    lock = DirectoryLock(tmp_path)
    holder = msgspec.json.decode(lock.path.read_bytes(), type=Holder)
    assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
    assert lock.path.stat().st_mode & 0o777 == 0o600
    lock.release()
    DirectoryLock(tmp_path).release()


def test_a_holder_without_a_name_yet(tmp_path):
    lock = DirectoryLock(tmp_path)
    lock.path.write_bytes(b"")
    with pytest.raises(InstarError, match="not written its name"):
        DirectoryLock(tmp_path)
    lock.release()


def test_what_a_dead_process_left_is_no_lock(tmp_path):
    (tmp_path / "lock").write_bytes(b'{"pid":1,"host":"gone","started_at":"2020-01-01T00:00:00Z"}')
    DirectoryLock(tmp_path).release()
