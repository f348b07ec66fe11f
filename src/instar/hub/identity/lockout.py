"""Brute force: an address that presents too many wrong credentials is locked for a while."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from instar.base.addresses import site_of
from instar.base.errors import InstarError
from instar.wire.limits import AUTH_FAILURES_MAX, AUTH_FAILURES_WINDOW_S, AUTH_LOCK_S, AUTH_PEERS_MAX


class Lockout:
    """Failures and locks by address. The addresses that failed longest ago are forgotten beyond `AUTH_PEERS_MAX`.

    Args:
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.on_locked: Callable[[str], None] = lambda _: None
        """Called with the address when one gets locked, once for each lock."""
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._locked_until: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, peer: str) -> float:
        """Return the seconds that the address stays locked, 0.0 when it is not."""
        if not self._locked_until:
            return 0.0
        site = site_of(peer)
        until = self._locked_until.get(site, 0.0)
        left = until - self._clock()
        if until and left <= 0:
            del self._locked_until[site]
        return max(left, 0.0) if until else 0.0

    def refuse(self, peer: str) -> None:
        """Let a caller pass whose address is not locked.

        Raises:
            InstarError: `rate_limited` with the time that is left.
        """
        if wait_s := self.wait_s(peer):
            raise InstarError(
                "rate_limited",
                "too many wrong credentials came from this address",
                retry_after_s=round(wait_s, 3),
                detail={"cause": "rate_limited"},
            )

    def failed(self, peer: str) -> None:
        """Note a wrong credential from this address."""
        site, at = site_of(peer), self._clock()
        failures = self._failures.setdefault(site, deque())
        self._failures.move_to_end(site)
        failures.append(at)
        while failures[0] <= at - AUTH_FAILURES_WINDOW_S:
            failures.popleft()
        if len(failures) >= AUTH_FAILURES_MAX:
            del self._failures[site]
            self._locked_until[site] = at + AUTH_LOCK_S
            self.on_locked(site)
        for seen in (self._failures, self._locked_until):
            if len(seen) > AUTH_PEERS_MAX:
                seen.popitem(last=False)
