"""How many live sockets and streams there are, and who holds them."""

from collections import Counter
from collections.abc import Callable

from instar.base.errors import InstarError
from instar.wire.limits import STREAMS_MAX, STREAMS_PER_PRINCIPAL_MAX


class StreamQuota:
    """Counts live sockets and streams, in all and for each holder.

    Args:
        total: Most of them at once.
        per_holder: Most of one credential, or of one address without any.
    """

    def __init__(self, total: int = STREAMS_MAX, per_holder: int = STREAMS_PER_PRINCIPAL_MAX) -> None:
        self._total = total
        self._per_holder = per_holder
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._held.total()

    def take(self, holder: str) -> Callable[[], None]:
        """Count one more for `holder`; call the result, once or more, to give it back.

        Raises:
            InstarError: `too_many_streams`.
        """
        if len(self) >= self._total:
            raise InstarError("too_many_streams", f"the hub serves {self._total} live streams, its limit")
        if self._held[holder] >= self._per_holder:
            raise InstarError(
                "too_many_streams",
                f"this credential holds {self._per_holder} live streams, its limit",
                hint="Close a stream, or raise `limits.streams_per_principal`.",
            )
        self._held[holder] += 1
        is_held = True

        def release() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]

        return release
