"""Every change of the settings file, by the hub or on its machine by the command line: checked whole, then written."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from instar.base.errors import InstarError
from instar.wire.settings import Reload, SettingsChanged, SettingsVersion

from .binding import check_bind
from .document import edited
from .file import Snapshot, locked, read, write_whole
from .keys import default_of, reload_of
from .load import Loaded, assemble, text_of
from .masking import unmasked
from .sources import fit, from_text, known
from .versions import Versions

FOUND = "found in the file, not written by Instar"
"""Comment on a version that somebody wrote by hand."""


class Change(NamedTuple):
    """What became of a change."""

    version: SettingsVersion
    """Version 0: the file is as it was."""
    changed: list[str]
    loaded: Loaded
    """What the next start would load."""

    def answer(self, path: Path, *, is_running: bool = True) -> SettingsChanged:
        """Return what the caller is told.

        Args:
            path: The file.
            is_running: Whether a hub runs in which live settings hold at once.
        """
        shadowed = [key for key in self.changed if self.loaded.origins[key] in ("env", "flag")]
        rest = [key for key in self.changed if key not in shadowed]
        applied = [key for key in rest if is_running and reload_of(key) is Reload.LIVE]
        waiting = [key for key in rest if key not in applied]
        return SettingsChanged(self.version.version, self.version.hash, str(path), applied, waiting, shadowed)


class Changing:
    """Writes one settings file.

    Args:
        loaded: The settings as who uses this has loaded them: the file, and what overrules it.
        is_host: Whether the caller is the owner of the file on the hub's own machine, who may change every key.
    """

    def __init__(self, loaded: Loaded, *, is_host: bool) -> None:
        self.path = loaded.path
        self.versions = Versions(loaded.data_dir)
        self._sources = loaded.sources
        self._is_host = is_host
        self._readable = loaded.written
        """What the file said when it could last be read."""

    def change(self, changes: Mapping[str, Any], base_hash: str, *, by: str, comment: str = "") -> Change:
        """Set these keys, or remove those with None: all of them or none.

        Raises:
            InstarError: `conflict` when the file is not the one with `base_hash`, `host_only`, `bad_request` for what
                does not fit, `forbidden` for an unsafe bind, `unprocessable_entity` (see `edited`); `storage_full` …
        """
        wanted = {known(name, "change"): value for name, value in changes.items()}
        self._refuse_host_only(wanted)
        fitted = {key: None if value is None else fit(key, value, "change") for key, value in wanted.items()}
        return self._write(lambda present: edited(present.text, fitted), base_hash, by, comment)

    def replace(self, text: str, base_hash: str, *, by: str, comment: str = "") -> Change:
        """Make the file say this; secrets that are masked in it stay what they are.

        Raises:
            InstarError: As `change`.
        """
        return self._write(lambda present: unmasked(text, self._written(present.content)), base_hash, by, comment)

    def rollback(self, number: int, base_hash: str, *, by: str) -> Change:
        """Make the file say what it said in an earlier version, as a new version.

        Raises:
            InstarError: As `change`; `not_found` for a version that is not kept.
        """
        return self._write(lambda _: self.versions.text(number), base_hash, by, f"rollback to version {number}")

    def take_note(self) -> None:
        """Keep what was written by hand as a version, so that it can be gone back to."""
        with locked(self.path):
            self._take_note(read(self.path))

    def _write(self, fresh_text: Callable[[Snapshot], str], base_hash: str, by: str, comment: str) -> Change:
        with locked(self.path):
            present = read(self.path)
            if present.hash != base_hash:
                raise InstarError(
                    "conflict",
                    "the settings file has changed since it was read",
                    hint="Read it again, and make the change anew.",
                    detail={"hash": present.hash},
                )
            text = fresh_text(present)
            loaded = assemble(self._sources, text, self.path)
            check_bind(loaded.settings)
            before = self._written(present.content)
            changed = _differing(before, loaded.written)
            self._refuse_host_only(_altered(before, loaded.written))
            if text.encode() == present.content:
                return Change(SettingsVersion(0, present.hash, "", []), [], loaded)
            self._take_note(present)
            version = self.versions.add(text, changed, by=by, comment=comment)
            write_whole(self.path, text)
            self._readable = loaded.written
            return Change(version, changed, loaded)

    def _take_note(self, present: Snapshot) -> None:
        newest = self.versions.newest()
        if not present.hash or (newest is not None and newest.hash == present.hash):
            return
        try:
            text = present.text
        except InstarError:
            return  # what is no text cannot be kept
        before = self._written(b"" if newest is None else self.versions.text(newest.version).encode())
        self.versions.add(text, _differing(before, self._written(present.content)), comment=FOUND)

    def _written(self, content: bytes) -> Mapping[str, Any]:
        """Return what a file says; for one that nobody can read, what the file last said."""
        with contextlib.suppress(InstarError):
            return from_text(text_of(content))
        return self._readable

    def _refuse_host_only(self, keys: Iterable[str]) -> None:
        hosts = [key for key in keys if reload_of(key) is Reload.HOST]
        if hosts and not self._is_host:
            raise InstarError(
                "host_only",
                f"{', '.join(f'`{key}`' for key in hosts)} can be changed on the hub's own machine only",
                hint=f"Run `instar config set {hosts[0]} …` there, as the owner of {self.path}.",
                detail={"keys": hosts},
            )


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the keys that the two say differently."""
    return [key for key in {**before, **after} if before.get(key) != after.get(key)]


def _altered(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the keys whose values differ: a default that is written down alters nothing."""
    return [
        key for key in _differing(before, after) if before.get(key, default_of(key)) != after.get(key, default_of(key))
    ]
