"""A hub that learns new scopes gives them to its operator, whose grant an older version stored."""

from collections.abc import Callable
from pathlib import Path

import pytest

from instar.hub.identity.credentials import Credential
from instar.hub.identity.identity import Identity
from instar.hub.identity.roots import local_root
from instar.store.sqlite import SqliteStore


@pytest.mark.parametrize("is_lost", [False, True])
async def test_an_older_local_grant_gains_what_is_new(
    make_identity: Callable[..., Identity], store: SqliteStore, tmp_path: Path, is_lost: bool
) -> None:
    path = tmp_path / "local-grant"
    first = make_identity()
    await first.load()
    await first.local_grant(path)
    older = '["admin","observe"]'
    await store.transact(lambda tx: tx.execute("UPDATE grants SET scopes = ?1 WHERE id = 'local'", older))
    if is_lost:
        path.unlink()
    upgraded = make_identity()
    await upgraded.load()
    token = await upgraded.local_grant(path)
    assert upgraded.authenticate(Credential(token)).grant == local_root()
    again = make_identity()
    await again.load()
    assert await again.local_grant(path) == token
    assert again.authenticate(Credential(token)).grant == local_root()
    rows = await store.read(lambda reader: reader.rows("SELECT type FROM events WHERE room = 'system:keys'"))
    assert len(rows) == (4 if is_lost else 2)
