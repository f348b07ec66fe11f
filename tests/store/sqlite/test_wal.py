"""The write-ahead log goes back into the database by size, when idle and at the end; a failure costs nothing."""

import apsw
import pytest

from instar.store.sqlite import wal
from instar.store.sqlite.connections import open_writer
from instar.store.sqlite.wal import IDLE_CHECKPOINT_S, WalKeeper


@pytest.fixture
def connection(tmp_path):
    opened = open_writer(tmp_path / "x.db")
    opened.execute("CREATE TABLE t (x)")
    yield opened
    opened.close()


def fill(connection, kib=100):
    connection.execute("INSERT INTO t VALUES (zeroblob(?1))", (kib * 1_024,))


def after_commit(keeper, *, has_erased):
    if keeper.is_due(has_erased=has_erased):
        keeper.after_commit()


def database_bytes(tmp_path):
    return (tmp_path / "x.db").stat().st_size


def test_by_size(connection, tmp_path, monkeypatch):
    monkeypatch.setattr(wal, "WAL_CHECKPOINT_BYTES", 300_000)
    keeper = WalKeeper(connection)
    sizes = []
    for _ in range(8):
        fill(connection)
        after_commit(keeper, has_erased=False)
        sizes.append(database_bytes(tmp_path))
    assert sizes[1] < 100_000
    assert sizes[3] > 300_000
    assert sizes[7] > 600_000
    assert (tmp_path / "x.db-wal").stat().st_size < 700_000


def test_when_idle_and_only_then_for_ever(connection, tmp_path):
    keeper = WalKeeper(connection)
    assert keeper.patience_s is None
    fill(connection)
    after_commit(keeper, has_erased=False)
    assert keeper.patience_s == IDLE_CHECKPOINT_S
    keeper.idle()
    assert database_bytes(tmp_path) > 100_000
    assert keeper.patience_s is None


def test_truncating_waits_for_no_reader(connection, tmp_path):
    keeper = WalKeeper(connection)
    fill(connection)
    reader = apsw.Connection(str(tmp_path / "x.db"))
    reader.execute("BEGIN; SELECT * FROM t").fetchall()
    fill(connection)
    after_commit(keeper, has_erased=True)
    assert (tmp_path / "x.db-wal").stat().st_size > 0
    assert keeper.patience_s == wal.ERASURE_RETRY_S
    reader.close()
    keeper.idle()
    assert (tmp_path / "x.db-wal").stat().st_size == 0
    assert keeper.patience_s is None


class Broken:
    def __init__(self, connection):
        self._connection = connection
        self.error = None

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def wal_checkpoint(self, *, mode):
        if self.error:
            raise self.error
        return self._connection.wal_checkpoint(mode=mode)


@pytest.mark.parametrize("has_erased", [True, False])
def test_a_failed_one_is_tried_again(connection, tmp_path, has_erased):
    broken = Broken(connection)
    keeper = WalKeeper(broken)
    broken.error = apsw.IOError("injected")
    fill(connection)
    after_commit(keeper, has_erased=has_erased)
    keeper.idle()
    assert keeper.fault is broken.error
    broken.error = None
    fill(connection)
    keeper.idle()
    assert keeper.fault is None
    assert database_bytes(tmp_path) > 200_000
