"""The operations of `wire.settings`, for a hub that runs."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from instar import __version__
from instar.base.clock import now
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.store.seam import Draft, Store, Transaction
from instar.wire import settings as wire
from instar.wire.events import AUDIT
from instar.wire.operation import Nothing

from .binding import check_bind
from .changing import Change, Changing
from .file import Snapshot, read
from .keys import KEYS, SECRETS, default_of, env_name, reload_of, shown
from .live import Live
from .load import Loaded, assemble
from .masking import masked
from .schema import file_schema
from .words import allowed, meanings


class SettingsHandlers:
    """Shows and changes the settings of this hub.

    A change is on disk before it is told of: version, file, event. What a crash cuts off of that, `open` makes up for.

    Args:
        live: The settings that hold.
        store: Where changes are told of.
    """

    def __init__(self, live: Live, store: Store) -> None:
        self._live = live
        self._store = store
        self._changing = Changing(live.present, is_host=False)
        self._lock = asyncio.Lock()

    def bindings(self) -> Bindings:
        """Return the operations of settings."""
        return (
            bind(wire.LIST, self.list),
            bind(wire.FILE, self.file),
            bind(wire.CHANGE, self.change),
            bind(wire.REPLACE, self.replace),
            bind(wire.HISTORY, self.history),
            bind(wire.ROLLBACK, self.rollback),
            bind(wire.SCHEMA, self.schema),
        )

    async def open(self) -> None:
        """Take note of what became of the file while no hub ran."""
        await asyncio.to_thread(self._changing.take_note)
        versions = await asyncio.to_thread(self._changing.versions.all)
        await self._store.append([_event(version) for version in reversed(versions)])

    async def list(self, act: Act[Nothing, None]) -> wire.SettingList:  # noqa: ARG002 - the shape of a handler
        """Return every setting, with the value that holds and its origin."""
        snapshot = await asyncio.to_thread(read, self._changing.path)
        settings = setting_list(self._live.present, self._next(snapshot))
        return wire.SettingList(settings, snapshot.hash, str(self._changing.path))

    async def file(self, act: Act[Nothing, None]) -> wire.SettingsFile:  # noqa: ARG002 - as above
        """Return the file without its secrets, and what is wrong with it."""
        snapshot = await asyncio.to_thread(read, self._changing.path)
        text, issues = "", list[str]()
        try:
            text = masked(snapshot.text)
            check_bind(self._assemble(snapshot).settings)
        except InstarError as error:
            issues.append(error.message)
        return wire.SettingsFile(str(self._changing.path), bool(snapshot.hash), text, snapshot.hash, issues)

    async def change(self, act: Act[wire.ChangeSettings, None]) -> wire.SettingsChanged:
        """Change keys of the file; live ones hold when this returns.

        Raises:
            InstarError: As `Changing.change`.
        """
        params, by = act.params, act.caller.principal.id
        return await self._do(
            act, lambda: self._changing.change(params.changes, params.base_hash, by=by, comment=params.comment)
        )

    async def replace(self, act: Act[wire.ReplaceSettings, None]) -> wire.SettingsChanged:
        """Replace the file.

        Raises:
            InstarError: As `Changing.replace`.
        """
        params, by = act.params, act.caller.principal.id
        return await self._do(
            act, lambda: self._changing.replace(params.text, params.base_hash, by=by, comment=params.comment)
        )

    async def rollback(self, act: Act[wire.RollbackSettings, None]) -> wire.SettingsChanged:
        """Go back to an earlier version.

        Raises:
            InstarError: As `Changing.rollback`.
        """
        params, by = act.params, act.caller.principal.id
        return await self._do(act, lambda: self._changing.rollback(params.version, params.base_hash, by=by))

    async def history(self, act: Act[Nothing, None]) -> wire.SettingsHistory:  # noqa: ARG002 - as above
        """Return the last versions, newest first."""
        return wire.SettingsHistory(await asyncio.to_thread(self._changing.versions.all))

    async def schema(self, act: Act[Nothing, None]) -> wire.SettingsSchema:  # noqa: ARG002 - as above
        """Return the schema of the file."""
        return wire.SettingsSchema(file_schema(), __version__)

    async def _do(self, act: Act[Any, None], write: Callable[[], Change]) -> wire.SettingsChanged:
        async with self._lock:
            change = await asyncio.to_thread(write)
            versions = await asyncio.to_thread(self._changing.versions.all)
            self._live.take(change.loaded)
            answer = change.answer(self._changing.path)
            act.audit_subject = f"version {change.version.version}" if change.version.version else ""

            async def tell(tx: Transaction) -> wire.SettingsChanged:
                for version in reversed(versions):
                    await tx.append(_event(version))
                return answer

            return await act.transact(tell, wire.SettingsChanged)

    def _assemble(self, snapshot: Snapshot) -> Loaded:
        return assemble(self._live.present.sources, snapshot.text, self._changing.path)

    def _next(self, snapshot: Snapshot) -> Loaded:
        """Return what the next start would load; of a file with faults, what holds."""
        try:
            return self._assemble(snapshot)
        except InstarError:
            return self._live.present


def _event(version: wire.SettingsVersion) -> Draft:
    """Return the event of a version; its id is the version's, so that appending it again changes nothing."""
    event_id = f"evt_settings.{version.version}.{version.hash[:16]}"
    return Draft(AUDIT, event_id, "settings.changed", msgspec.json.encode(version), now(), version.by)


def setting_list(present: Loaded, coming: Loaded) -> list[wire.Setting]:
    """Return every setting in the order of the tree.

    Args:
        present: What holds.
        coming: What the next start would load.
    """
    return [
        wire.Setting(
            key=key,
            value=shown(key, present.value(key)),
            origin=present.origins[key],
            reload=reload_of(key),
            default=default_of(key),
            allowed=allowed(key),
            meaning=meanings()[key],
            env=env_name(key),
            is_secret=key in SECRETS,
            is_pending=present.value(key) != coming.value(key),
        )
        for key in KEYS
    ]
