"""How many calls that have not ended there are: in all, and of each requester, so that none shuts the others out."""

from instar.base.errors import InstarError
from instar.wire.limits import CALLS_LIVE_MAX, CALLS_LIVE_PER_REQUESTER_MAX

_RETRY_AFTER_S = 1.0


class Shares:
    """Which calls of which requester have not ended."""

    def __init__(self) -> None:
        self._held: dict[str, set[str]] = {}
        self._total = 0

    def check(self, requester: str) -> None:
        """Let a requester ask for one more.

        Raises:
            InstarError: `overloaded`, and which of the two limits was met.
        """
        if len(self._held.get(requester, ())) >= CALLS_LIVE_PER_REQUESTER_MAX:
            raise InstarError(
                "overloaded",
                f"{CALLS_LIVE_PER_REQUESTER_MAX:,} calls of {requester} have not ended: no requester may have more",
                hint="Wait for one of them to end, or cancel one: `instar calls list --live`.",
                retry_after_s=_RETRY_AFTER_S,
                detail={"limit": "CALLS_LIVE_PER_REQUESTER_MAX", "max": CALLS_LIVE_PER_REQUESTER_MAX},
            )
        if self._total >= CALLS_LIVE_MAX:
            raise InstarError(
                "overloaded",
                f"{CALLS_LIVE_MAX:,} calls of all requesters have not ended: the hub takes no more",
                hint="Ask again later; an operator sees what takes so long: `instar calls list --live`.",
                retry_after_s=_RETRY_AFTER_S,
                detail={"limit": "CALLS_LIVE_MAX", "max": CALLS_LIVE_MAX},
            )

    def hold(self, requester: str, call_id: str) -> None:
        """Count a call. Twice is no error."""
        held = self._held.setdefault(requester, set())
        self._total += call_id not in held
        held.add(call_id)

    def release(self, requester: str, call_id: str) -> None:
        """Count it no more. One that is not counted is no error."""
        held = self._held.get(requester)
        if held is not None and call_id in held:
            held.discard(call_id)
            self._total -= 1
            if not held:
                del self._held[requester]
