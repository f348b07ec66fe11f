"""The gateway's shared secret: a token or a password that every client of that dialect may present."""

import hashlib
import hmac

from .policy import AuthPolicy


class SharedSecret:
    """Compares what is presented, by hashes and in constant time. It keeps no secret in plain.

    Args:
        policy: What the operator set.
    """

    def __init__(self, policy: AuthPolicy) -> None:
        self._hashes = [_hash(secret) for secret in (policy.token, policy.password) if secret]
        self.kind = "token" if policy.token or not policy.password else "password"
        """What a client that presents nothing is told to present."""

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return bool(self._hashes)

    def is_right(self, presented: str) -> bool:
        """Whether this is the secret, token and password alike; clients put either into either field."""
        digest = _hash(presented)
        matches = [hmac.compare_digest(digest, secret) for secret in self._hashes]
        return bool(presented) and any(matches)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
