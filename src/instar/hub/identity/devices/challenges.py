"""Challenges: random numbers that a device signs, so that an older signature proves nothing."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from instar.base.errors import InstarError
from instar.wire.limits import CHALLENGE_S, CHALLENGES_MAX
from instar.wire.signatures import NONCE_BYTES


class Challenges:
    """Nonces that wait to be signed, in memory. The oldest are forgotten beyond `CHALLENGES_MAX`.

    Args:
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def issue(self, public_key: bytes) -> bytes:
        """Return a fresh nonce for the holder of this key alone."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        self._waiting[nonce] = (public_key, self._clock() + CHALLENGE_S)
        if len(self._waiting) > CHALLENGES_MAX:
            self._waiting.popitem(last=False)
        return nonce

    def take(self, nonce: bytes, public_key: bytes) -> None:
        """Use a nonce up, whatever becomes of what was signed with it.

        Raises:
            InstarError: `unauthorized` when the nonce was not given to this key, was used or is too old.
        """
        asker, ends = self._waiting.pop(nonce, (b"", 0.0))
        if asker != public_key or ends <= self._clock():
            raise InstarError(
                "unauthorized",
                "the challenge is not this key's, was used or is too old",
                hint="Ask for a new one with `devices.challenge`, and sign that.",
                detail={"cause": "signature_invalid"},
            )
