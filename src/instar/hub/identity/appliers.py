"""What projections need of the pump."""

from collections.abc import Callable
from typing import Protocol

from instar.wire.events import Event


class Appliers(Protocol):
    """The part of the pump that projections need."""

    def apply_with(self, kind: str, applier: Callable[[Event], None]) -> None:
        """Call `applier` for each committed event of this type."""
        ...
