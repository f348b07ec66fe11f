"""Files that only the user who runs the hub may read: they hold what the hub itself is known by."""

import os
import stat
from pathlib import Path

from instar.base.errors import InstarError

_MODE = 0o600
_OTHERS = 0o077


def read_private(path: Path, max_bytes: int) -> bytes | None:
    """Return up to `max_bytes` of the file, None when there is no file.

    Raises:
        InstarError: `forbidden` when the file is a link, no plain file, another user's, or open to group or others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "a symbolic link" if path.is_symlink() else f"not readable ({error.strerror})"
        raise InstarError("forbidden", f"{path} is {reason}", hint=f"Remove {path}, then start again.") from error
    try:
        _check(path, os.fstat(descriptor))
        return os.read(descriptor, max_bytes)
    finally:
        os.close(descriptor)


def create_private(path: Path, content: bytes) -> None:
    """Create the file with this content, durably, readable by its owner alone.

    Raises:
        InstarError: `conflict` when there is such a file already.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    except FileExistsError as error:
        raise InstarError("conflict", f"{path} exists", hint=f"Remove {path}, then start again.") from error
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InstarError("forbidden", f"{path} is no plain file", hint=f"Remove {path}, then start again.")
    if status.st_uid != os.geteuid():
        raise InstarError("forbidden", f"{path} belongs to another user", hint=f"Run as its owner, or remove {path}.")
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise InstarError(
            "forbidden", f"{path} is open to other users", hint=f"Run `chmod 600 {path}`, then start again."
        )
