"""Files that are private and on disk for sure, and what a failing disk means to a caller."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from instar.base.errors import InstarError
from instar.wire.limits import WRITER_RETRY_S

FULL_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT))


def open_private(path: Path) -> BinaryIO:
    """Make a new file with mode 0600 and open it for writing.

    Raises:
        OSError: There is one of that name, or it cannot be made.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def sync(path: Path) -> None:
    """Fsync a file or a folder; a folder's fsync is what makes a new name last.

    Raises:
        OSError: The disk failed.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_fault(error: OSError) -> InstarError:
    """Return what a caller is told of a failing disk."""
    if error.errno in FULL_ERRNOS:
        return InstarError(
            "storage_full", f"the disk that holds the data is full ({error})", retry_after_s=WRITER_RETRY_S
        )
    return InstarError("internal_error", f"the disk refused the work ({error})")
