"""The hub's secrets at rest: one key file, one table, and nothing that ever shows either."""

import secrets as random
from pathlib import Path

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.hub.identity.private_file import create_private, read_private
from instar.store.seam import HOME, Reader, Store, Transaction

from .sealing import KEY_BYTES, seal, unseal

KEY_FILE = "secrets-key"
CHECK = "check"
"""The context of the row that tells whether the key is the one that the others were sealed with."""
_CHECKED = b"instar"
RESET = "instar secrets reset"
"""What begins anew without the secrets."""


class Secrets:
    """What is sealed under the key file of the data directory. It must be loaded before anything is asked of it.

    A database or a backup without that file tells nobody what was sealed.
    """

    def __init__(self) -> None:
        self._key = b""

    def __repr__(self) -> str:
        return "Secrets(loaded)" if self._key else "Secrets(not loaded)"

    async def load(self, path: Path, store: Store) -> None:
        """Read the key; it is made while nothing is sealed yet.

        Raises:
            InstarError: `secret_unreadable` when there are secrets and their key is lost or another one; `forbidden`
                when others can read the file; `data_corrupt` when it is no key.
        """
        key = read_private(path, KEY_BYTES + 1)
        check, count = await store.read(_standing)
        if key is None:
            if count:
                raise _refusal(f"{path} is missing, and what is sealed with it is not ({count} in all)", path)
            key, check = random.token_bytes(KEY_BYTES), b""
            create_private(path, key)
        if len(key) != KEY_BYTES:
            raise InstarError(
                "data_corrupt", f"{path} is no key: it must hold {KEY_BYTES} bytes", hint=_next_step(path)
            )
        if check and not _opens(key, check):
            if count:
                raise _refusal(f"{path} is not the key that the hub's secrets are sealed with ({count} in all)", path)
            check = b""
        self._key = key
        if not check:
            await store.transact(lambda tx: self.keep(tx, CHECK, _CHECKED))

    def seal(self, context: str, content: bytes) -> bytes:
        """Return `content` encrypted; the context says what it is and whose, and must be the same when it is opened."""
        return seal(self._loaded(), context, content)

    def open(self, context: str, sealed: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            InstarError: `secret_unreadable`.
        """
        return unseal(self._loaded(), context, sealed)

    async def keep(self, tx: Transaction, context: str, content: bytes) -> None:
        """Store a secret in its owner's transaction; one of the same context is replaced."""
        await tx.execute(
            "INSERT INTO secrets (org, context, sealed, sealed_at) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (org, context) DO UPDATE SET sealed = excluded.sealed, sealed_at = excluded.sealed_at",
            HOME, context, self.seal(context, content), now(),
        )  # fmt: skip

    async def find(self, reader: Reader, context: str) -> bytes:
        """Return a stored secret.

        Raises:
            InstarError: `secret_unreadable`: there is none, or it does not open.
        """
        row = await reader.row("SELECT sealed FROM secrets WHERE org = ?1 AND context = ?2", HOME, context)
        if row is None:
            raise InstarError("secret_unreadable", f"there is no secret {context!r}", hint="Store it again.")
        return self.open(context, row[0])

    async def forget(self, tx: Transaction, context: str) -> None:
        """Remove a stored secret; of one that is not there nothing is wrong."""
        await tx.execute("DELETE FROM secrets WHERE org = ?1 AND context = ?2", HOME, context)

    def _loaded(self) -> bytes:
        if not self._key:
            raise LookupError("the key of secrets was not loaded")
        return self._key


async def reset(tx: Transaction) -> int:
    """Forget every secret, so that a hub that lost its key starts; return how many there were."""
    _, count = await _standing(tx)
    await tx.execute("DELETE FROM secrets WHERE org = ?1", HOME)
    return count


async def _standing(reader: Reader) -> tuple[bytes, int]:
    """Return the check of the key (empty: there is none) and how many secrets there are besides."""
    check = await reader.row("SELECT sealed FROM secrets WHERE org = ?1 AND context = ?2", HOME, CHECK)
    row = await reader.row("SELECT COUNT(*) FROM secrets WHERE org = ?1 AND context <> ?2", HOME, CHECK)
    return check[0] if check else b"", row[0] if row else 0


def _opens(key: bytes, check: bytes) -> bool:
    try:
        return unseal(key, CHECK, check) == _CHECKED
    except InstarError:
        return False


def _refusal(cause: str, path: Path) -> InstarError:
    return InstarError("secret_unreadable", cause, hint=_next_step(path))


def _next_step(path: Path) -> str:
    return f"Restore {path} from where it was kept; if it is lost for ever, `{RESET}` forgets the secrets."
