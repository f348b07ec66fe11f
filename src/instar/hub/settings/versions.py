"""The last versions of the settings file: what it said, who wrote it, when and why."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.wire.limits import SETTINGS_VERSIONS_MAX
from instar.wire.settings import SettingsVersion

from .file import hash_of, write_whole

FOLDER = "settings"
_NAME = re.compile(r"(\d{6,})\.json")


class _Record(msgspec.Struct, frozen=True):
    """One version as it is stored."""

    version: SettingsVersion
    text: str


class Versions:
    """The versions in a folder of the data directory, which only its owner may enter: they hold secrets.

    Who writes holds the lock of the settings file.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER

    def add(self, text: str, changed: Sequence[str], *, by: str = "", comment: str = "") -> SettingsVersion:
        """Store a text as the newest version, and forget all but the last; it is on disk when this returns."""
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.mkdir(exist_ok=True, mode=0o700)
        number = max(self._numbers(), default=0) + 1
        version = SettingsVersion(number, hash_of(text.encode()), to_rfc3339(now()), sorted(changed), by, comment)
        write_whole(self._path(number), msgspec.json.encode(_Record(version, text)).decode())
        for old in self._numbers()[:-SETTINGS_VERSIONS_MAX]:
            self._path(old).unlink(missing_ok=True)
        return version

    def all(self) -> list[SettingsVersion]:
        """Return the versions that are kept, newest first.

        Raises:
            InstarError: `data_corrupt`.
        """
        return [self._read(number).version for number in reversed(self._numbers())]

    def newest(self) -> SettingsVersion | None:
        """Return the last version, or None."""
        numbers = self._numbers()
        return self._read(numbers[-1]).version if numbers else None

    def text(self, number: int) -> str:
        """Return what a version says.

        Raises:
            InstarError: `not_found`; `data_corrupt`.
        """
        if number not in self._numbers():
            raise InstarError(
                "not_found", f"there is no version {number}", hint="List them with `instar config history`."
            )
        return self._read(number).text

    def _numbers(self) -> list[int]:
        matches = (_NAME.fullmatch(path.name) for path in self._folder.glob("*.json"))
        return sorted(int(match[1]) for match in matches if match)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _read(self, number: int) -> _Record:
        path = self._path(number)
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Record)
        except (OSError, msgspec.DecodeError) as error:
            raise InstarError(
                "data_corrupt", f"the settings version {path} cannot be read", hint="Remove the file."
            ) from error
