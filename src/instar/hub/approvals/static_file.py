"""The static file of rules, `permissions.jsonc` in the data directory: read anew whenever it is another one."""

import os
from pathlib import Path

from instar.base.errors import InstarError
from instar.policy.rules import DEFAULT_FILE, describe, load_file
from instar.wire.approvals import KnownRule, Layer
from instar.wire.limits import RULES_FILE_MAX_CHARS

_MODE = 0o600
_OTHERS_WRITE = 0o022
_Mark = tuple[int, int, int]


class StaticFile:
    """The file, and the rules that it held when it was read last.

    A file that cannot be read, or that others may write, holds no rule and has a fault: nothing is allowed then. When
    there is no file the default one holds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""
        self._mark: _Mark | None = None
        self._rules: list[KnownRule] = []
        self._is_read = False

    def rules(self) -> list[KnownRule]:
        """Return the rules that hold now."""
        mark = self._looked()
        if not self._is_read or mark != self._mark:
            self._mark, self._is_read = mark, True
            self._read()
        return self._rules

    def seed(self) -> None:
        """Write the default file if there is none, so that there is something to edit."""
        if not self.path.exists():
            self.write(DEFAULT_FILE)

    def write(self, text: str) -> list[KnownRule]:
        """Replace the file, whole or not at all, and return its rules.

        Raises:
            InstarError: `unprocessable_entity`: it is no file of rules; nothing was written.
        """
        found = self.parsed(text)
        fresh = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        return found

    def parsed(self, text: str) -> list[KnownRule]:
        """Return the rules of a text.

        Raises:
            InstarError: `unprocessable_entity`.
        """
        found = load_file(text, str(Path.home()))
        return [KnownRule(f"file:{at}", Layer.FILE, rule, describe(rule), at) for at, rule in enumerate(found, 1)]

    def _looked(self) -> _Mark | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> None:
        self._rules, self.fault = [], ""
        try:
            self._rules = self.parsed(self._text())
        except FileNotFoundError:
            self._rules = self.parsed(DEFAULT_FILE)
        except (OSError, UnicodeDecodeError) as error:
            self.fault = f"{self.path} cannot be read: {error}"
        except InstarError as error:
            self.fault = f"{self.path} is not obeyed: {error.message}"

    def _text(self) -> str:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS_WRITE:
                raise PermissionError(f"others may write it; run `chmod 600 {self.path}`")
            return file.read(RULES_FILE_MAX_CHARS + 1)
