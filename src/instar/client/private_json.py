"""Small JSON files of this machine's user: replaced whole or not at all, and nobody else's to read or write."""

import json
import os
from pathlib import Path
from typing import Any, cast

from .errors import HubError


def read(path: Path) -> dict[str, Any]:
    """Return the object in a file, an empty one when there is no file.

    Raises:
        HubError: `unauthorized` when others can get at the file, or it holds no object.
    """
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise HubError("unauthorized", f"{path} is open to other users", hint=f"Run: chmod 600 {path}")
            content: object = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HubError("unauthorized", f"{path} cannot be read: {error}", hint=f"Correct or remove {path}.") from error
    if not isinstance(content, dict):
        raise HubError("unauthorized", f"{path} holds no object", hint=f"Correct or remove {path}.")
    return cast("dict[str, Any]", content)


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace a file, mode 0600, in a folder that is made with mode 0700.

    Raises:
        HubError: `unauthorized` when it cannot be written.
    """
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file, as `write` does.

    Raises:
        HubError: As `write`.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise HubError("unauthorized", f"{path} cannot be written: {error.strerror}") from error
