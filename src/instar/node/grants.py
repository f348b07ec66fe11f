"""What this machine permits now, with its folders held open as long as a call works in them."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .allow import Allowed
from .roots import Roots


class Granted:
    """One state of the allow list, and its opened roots. Whoever takes it releases it once."""

    def __init__(self, allowed: Allowed, roots: Roots) -> None:
        self.allowed = allowed
        self.roots = roots
        self._holders = 1

    def take(self) -> None:
        """Hold it."""
        self._holders += 1

    def release(self) -> None:
        """Hold it no more; the last to do so closes the roots."""
        self._holders -= 1
        if self._holders == 0:
            self.roots.close()


class Grants:
    """The allow list as it is at the time of each call.

    Args:
        current: Returns the list; the same object while nothing has changed.
        hidden: Folders that are in no root: the node's own.
    """

    def __init__(self, current: Callable[[], Allowed], hidden: Sequence[Path]) -> None:
        self._current = current
        self._hidden = hidden
        self._granted: Granted | None = None

    def take(self) -> Granted:
        """Return what is permitted now, held for the caller.

        Raises:
            InstarError: `unprocessable_entity` for a list or a root that cannot be used, `unauthorized`.
        """
        allowed = self._current()
        if self._granted is None or self._granted.allowed is not allowed:
            fresh = Granted(allowed, Roots([Path(root) for root in allowed.roots], hidden=self._hidden))
            self.close()
            self._granted = fresh
        self._granted.take()
        return self._granted

    @contextmanager
    def held(self) -> Generator[Granted]:
        """As `take`, released at the end."""
        granted = self.take()
        try:
            yield granted
        finally:
            granted.release()

    def close(self) -> None:
        """Let go of the roots once no call holds them."""
        if self._granted is not None:
            self._granted.release()
            self._granted = None
