"""Pins: a name belongs to the first key that was let in under it, until that device is revoked."""

from collections.abc import Callable

from instar.base.buckets import Buckets
from instar.base.clock import Micros
from instar.hub.identity.notices import Notices
from instar.wire.devices import Device, KeyMismatch
from instar.wire.signatures import device_id, fingerprint

from . import refusals
from .events import draft
from .registry import Registry

_REPORTS_PER_MIN = 10
"""Of one device: whoever knows its name may present any number of keys under it."""


class Pins:
    """Refuses another key under a pinned name, and lets operators hear of it.

    Args:
        registry: The devices.
        notices: Where the event is written.
        clock: Wall-clock time.
    """

    def __init__(self, registry: Registry, notices: Notices, clock: Callable[[], Micros]) -> None:
        self._registry = registry
        self._notices = notices
        self._clock = clock
        self._reports = Buckets(_REPORTS_PER_MIN / 60, _REPORTS_PER_MIN)

    def check(self, alias: str, key: bytes, address: str) -> None:
        """Let a key pass under a name that is free or its own.

        Raises:
            InstarError: `key_mismatch` when the name is pinned to another key.
        """
        pinned = self._registry.named(alias)
        if pinned is None or pinned.id == device_id(key):
            return
        if not self._reports.take(pinned.id):
            self._notices.add(draft("device.key_mismatch", _mismatch(pinned, key, address), self._clock()))
        raise refusals.key_mismatch(pinned, key)


def _mismatch(pinned: Device, key: bytes, address: str) -> KeyMismatch:
    return KeyMismatch(
        device_id=pinned.id,
        alias=pinned.alias,
        name=pinned.facts.name,
        expected_fingerprint=pinned.fingerprint,
        presented_fingerprint=fingerprint(key),
        dialect=pinned.dialect,
        address=address,
    )
