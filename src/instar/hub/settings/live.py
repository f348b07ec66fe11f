"""The settings that hold now: what the hub started with, and live ones as they were changed since."""

from collections.abc import Callable
from dataclasses import replace

from instar.wire.settings import Reload

from .keys import KEYS, reload_of
from .load import Loaded, tree_of
from .tree import Settings


class Live:
    """The present settings, and who is told of a change.

    Args:
        loaded: What the hub started with.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.present = loaded
        self._observers: list[Callable[[Settings], None]] = []

    def observe(self, apply: Callable[[Settings], None]) -> None:
        """Tell `apply` of the settings now, and after each change of a live one."""
        self._observers.append(apply)
        apply(self.present.settings)

    def take(self, loaded: Loaded) -> None:
        """Let the live ones of these settings hold from now on; the others stay as they are."""
        sources = {key: loaded if reload_of(key) is Reload.LIVE else self.present for key in KEYS}
        settings = tree_of({key: source.value(key) for key, source in sources.items()})
        is_new = settings != self.present.settings
        origins = {key: source.origins[key] for key, source in sources.items()}
        self.present = replace(self.present, settings=settings, origins=origins)
        if is_new:
            for apply in self._observers:
                apply(settings)
