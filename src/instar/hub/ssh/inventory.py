"""The projection of SSH keys and targets: what routing, executors and `nodes.exec_status` decide with."""

from collections.abc import Callable, Sequence

import msgspec

from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.hub.identity.missing import missing
from instar.hub.secrets import Secrets
from instar.store.seam import Reader, Store
from instar.wire.events import Event
from instar.wire.ssh import SshKey, SshTarget

from . import records
from .destinations import Destination, parse_destination
from .host_keys import HostKey, pinned_keys
from .records import TargetRecord

TARGET_PREFIX = "ssh:"
"""Before a target's id, where targets of all kinds are named."""


class Located:
    """One target, and what follows from its record."""

    def __init__(self, record: TargetRecord) -> None:
        self.record = record
        self.destination: Destination = parse_destination(record.address, record.port)
        self.pins: Sequence[HostKey] = pinned_keys(record.known_host)

    @property
    def id(self) -> str:
        """Its id among targets of all kinds."""
        return TARGET_PREFIX + self.record.id

    @property
    def fingerprints(self) -> list[str]:
        """Of the pinned keys."""
        return [key.fingerprint for key in self.pins]


class Inventory:
    """What there is, kept true to the log."""

    def __init__(self, pump: Pump, secrets: Secrets) -> None:
        self._secrets = secrets
        self._keys: dict[str, SshKey] = {}
        self._targets: dict[str, Located] = {}
        self._listeners: list[Callable[[str], None]] = []
        pump.apply_with(records.CHANGED, self._changed)
        pump.apply_with(records.REMOVED, self._removed)
        pump.apply_with(records.KEY_ADDED, self._key_added)
        pump.apply_with(records.KEY_REMOVED, self._key_removed)

    async def load(self, store: Store) -> None:
        """Read the tables, and try to open every key; called once, before the pump starts, with secrets loaded."""

        async def read(reader: Reader) -> tuple[list[SshKey], list[TargetRecord]]:
            keys = [await self._tried(reader, key) for key in await records.keys(reader)]
            return keys, await records.targets(reader)

        keys, targets = await store.read(read)
        self._keys = {key.id: key for key in keys}
        self._targets = {target.id: Located(target) for target in targets}

    def keys(self) -> list[SshKey]:
        """Return every key with the number of targets that use it, by name."""
        used = [each.record.key_id for each in self._targets.values()]
        found = (msgspec.structs.replace(key, targets=used.count(key.id)) for key in self._keys.values())
        return sorted(found, key=lambda key: (key.name.lower(), key.id))

    def key(self, named: str) -> SshKey:
        """Return the key with this id or name.

        Raises:
            InstarError: `not_found`.
        """
        key = self._keys.get(named) or next((e for e in self._keys.values() if e.name.lower() == named.lower()), None)
        if key is None:
            raise missing("SSH key", named)
        return next(each for each in self.keys() if each.id == key.id)

    def targets(self) -> list[Located]:
        """Return every target: the default first, then by label."""
        found = self._targets.values()
        return sorted(found, key=lambda each: (not each.record.is_default, each.record.label.lower()))

    def get(self, target_id: str) -> Located | None:
        """Return the target with this id, with `ssh:` before it or without, or None."""
        return self._targets.get(target_id.removeprefix(TARGET_PREFIX))

    def target(self, named: str) -> Located:
        """Return the target with this id or label.

        Raises:
            InstarError: `not_found`.
        """
        plain = named.removeprefix(TARGET_PREFIX)
        labelled = (each for each in self._targets.values() if each.record.label.lower() == plain.lower())
        found = self._targets.get(plain) or next(labelled, None)
        if found is None:
            raise missing("SSH target", named)
        return found

    def view(self, target: TargetRecord) -> SshTarget:
        """Return a target as callers see it."""
        key = self._keys.get(target.key_id)
        fields = {name: getattr(target, name) for name in SshTarget.__struct_fields__}
        fields |= {
            "key_name": key.name if key else "",
            "host_fingerprints": [pin.fingerprint for pin in pinned_keys(target.known_host)],
        }
        return SshTarget(**fields)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with its id after a target was changed or removed."""
        self._listeners.append(listener)

    async def _tried(self, reader: Reader, key: SshKey) -> SshKey:
        try:
            await self._secrets.find(reader, records.secret_of(key.id))
        except InstarError:
            return msgspec.structs.replace(key, is_readable=False)
        return key

    def _changed(self, event: Event) -> None:
        record = msgspec.json.decode(event.payload, type=TargetRecord)
        self._targets[record.id] = Located(record)
        self._tell(record.id)

    def _removed(self, event: Event) -> None:
        record = msgspec.json.decode(event.payload, type=TargetRecord)
        self._targets.pop(record.id, None)
        self._tell(record.id)

    def _key_added(self, event: Event) -> None:
        key = msgspec.json.decode(event.payload, type=SshKey)
        self._keys[key.id] = key

    def _key_removed(self, event: Event) -> None:
        self._keys.pop(msgspec.json.decode(event.payload, type=SshKey).id, None)

    def _tell(self, target_id: str) -> None:
        for listener in self._listeners:
            listener(target_id)
