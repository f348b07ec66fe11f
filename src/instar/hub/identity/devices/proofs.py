"""Signatures of devices: verified here, and taken once."""

import time
from collections import OrderedDict
from collections.abc import Callable
from weakref import ref

from instar.base.errors import InstarError
from instar.hub.identity.credentials import Signed
from instar.wire import signatures
from instar.wire.limits import SIGNATURE_SKEW_V3_S, SIGNATURES_SEEN_MAX

_KEEP_S = 2 * SIGNATURE_SKEW_V3_S
"""A signature without a nonce may be dated as far ahead as behind, and is good until it is stale."""


class Proofs:
    """Who signed, and what was seen before.

    An old generation signs no nonce of ours, so that what was overheard could be shown again: a signature is taken
    from one connection alone. What was signed may hold a secret: of a connection that is gone only the signature is
    kept. Of more than `SIGNATURES_SEEN_MAX` the oldest are forgotten.

    Args:
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[ref[Signed], float]] = OrderedDict()

    def verify(self, signed: Signed) -> str:
        """Return the id of the device that signed one of the messages.

        The same `Signed` object may be verified again: its connection asks twice when it was let in meanwhile.

        Raises:
            InstarError: `unauthorized` as `check` says, or for a signature that was presented before.
        """
        check(signed)
        self._take(signed)
        return signatures.device_id(signed.public_key)

    def _take(self, signed: Signed) -> None:
        at, mark = self._clock(), signed.public_key + signed.signature
        while self._seen and next(iter(self._seen.values()))[1] <= at:
            self._seen.popitem(last=False)
        first, _ = self._seen.setdefault(mark, (ref(signed), at + _KEEP_S))
        if first() is not signed:
            raise _refused("signature_invalid", "the device's signature was presented before")
        if len(self._seen) > SIGNATURES_SEEN_MAX:
            self._seen.popitem(last=False)


def check(signed: Signed) -> None:
    """Let a signature pass that is the key's, of one of the messages. What is bound to a challenge needs no more.

    Raises:
        InstarError: `unauthorized` for a key that is none, or for a signature that is not the key's.
    """
    if not signatures.is_public_key(signed.public_key):
        raise _refused("public_key_invalid", "the device's public key is no Ed25519 key")
    if not any(signatures.verify(signed.public_key, signed.signature, message) for message in signed.messages):
        raise _refused("signature_invalid", "the device's signature does not fit its key and what it asks for")


def _refused(cause: str, message: str) -> InstarError:
    return InstarError("unauthorized", message, hint="Sign anew and connect again.", detail={"cause": cause})
