"""The hub's own key: what devices know it by, at any address and behind any certificate."""

import secrets
from functools import cached_property
from pathlib import Path

from instar.base.errors import InstarError
from instar.hub.identity.private_file import create_private, read_private
from instar.wire import signatures


class HubKey:
    """An Ed25519 key whose seed is a file of 32 bytes. Its public half is derived when it is first asked for.

    It must be loaded before anything is asked of it.
    """

    def __init__(self) -> None:
        self._seed = b""

    def __repr__(self) -> str:
        return f"HubKey({self.id if self._seed else 'not loaded'})"

    def load(self, path: Path) -> None:
        """Read the seed; the first start makes it. A lost file is made anew: devices then see another hub.

        Raises:
            InstarError: `forbidden` when others can read the file, `data_corrupt` when it is no seed.
        """
        seed = read_private(path, signatures.SEED_BYTES + 1)
        if seed is None:
            seed = secrets.token_bytes(signatures.SEED_BYTES)
            create_private(path, seed)
        if len(seed) != signatures.SEED_BYTES:
            raise InstarError(
                "data_corrupt",
                f"{path} is no key: it must hold {signatures.SEED_BYTES} bytes",
                hint=f"Restore {path}, or remove it and pair all devices anew.",
            )
        self._seed = seed

    @cached_property
    def public_key(self) -> bytes:
        """The raw public key."""
        if not self._seed:
            raise LookupError("the hub's key was not loaded")
        return signatures.public_key_of(self._seed)

    @property
    def id(self) -> str:
        """The hub's id, which devices pin."""
        return signatures.device_id(self.public_key)

    @property
    def fingerprint(self) -> str:
        """What people compare."""
        return signatures.fingerprint(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """Return the hub's signature of a message."""
        return signatures.sign(self._seed, message)
