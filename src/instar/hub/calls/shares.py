"""How many calls that have not ended there are: in all, and of each requester, so that none shuts the others out."""

from collections import Counter

from instar.base.errors import InstarError
from instar.wire.limits import CALLS_LIVE_MAX, CALLS_LIVE_PER_REQUESTER_MAX

_RETRY_AFTER_S = 1.0


class Shares:
    """Which calls of which requester have not ended."""

    def __init__(self) -> None:
        self._requesters: dict[str, str] = {}
        """Of each call that is counted, by id."""
        self._held = Counter[str]()

    def check(self, requester: str) -> None:
        """Let a requester ask for one more.

        Raises:
            InstarError: `overloaded`, and which of the two limits was met.
        """
        if self._held[requester] >= CALLS_LIVE_PER_REQUESTER_MAX:
            raise InstarError(
                "overloaded",
                f"{CALLS_LIVE_PER_REQUESTER_MAX:,} calls of {requester} have not ended: no requester may have more",
                hint="Wait for one of them to end, or cancel one: `instar calls list --live`.",
                retry_after_s=_RETRY_AFTER_S,
                detail={"limit": "CALLS_LIVE_PER_REQUESTER_MAX", "max": CALLS_LIVE_PER_REQUESTER_MAX},
            )
        if len(self._requesters) >= CALLS_LIVE_MAX:
            raise InstarError(
                "overloaded",
                f"{CALLS_LIVE_MAX:,} calls of all requesters have not ended: the hub takes no more",
                hint="Ask again later; an operator sees what takes so long: `instar calls list --live`.",
                retry_after_s=_RETRY_AFTER_S,
                detail={"limit": "CALLS_LIVE_MAX", "max": CALLS_LIVE_MAX},
            )

    def hold(self, requester: str, call_id: str) -> None:
        """Count a call. Twice is no error."""
        if call_id not in self._requesters:
            self._requesters[call_id] = requester
            self._held[requester] += 1

    def release(self, call_id: str) -> None:
        """Count it no more. One that is not counted is no error."""
        requester = self._requesters.pop(call_id, None)
        if requester is not None:
            self._held[requester] -= 1
            if not self._held[requester]:
                del self._held[requester]
