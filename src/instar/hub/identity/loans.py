"""Grants for children of this process: no table keeps them, they end when they are taken back, and with the process."""

from .attenuation import Wanted, attenuate
from .keyring import Keyring
from .principals import Grant
from .roots import local_root
from .tokens import new_token


class Loans:
    """Who lends what the local operator holds.

    Args:
        keyring: Where a lent grant holds.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def lend(self, wanted: Wanted) -> tuple[Grant, str]:
        """Narrow the local operator's grant for a child of this process; return the grant and its token."""
        grant, token = attenuate(local_root(), wanted), new_token(wanted.kind)
        self._keyring.lend(grant, token.hash)
        return grant, token.text

    def take_back(self, grant_id: str) -> None:
        """End a grant that was lent, and its live sockets. Twice is no error."""
        self._keyring.take_back(grant_id)
