"""The local grant's file: who can read it is the operator of this hub."""

from pathlib import Path

from instar.base.errors import InstarError

from .private_file import create_private, read_private

_MAX_BYTES = 1_024


def read(path: Path) -> str | None:
    """Return the token in the file, None when there is no file.

    Raises:
        InstarError: `forbidden` when others can read the file, as `read_private` says; `data_corrupt` when it holds no
            token.
    """
    content = read_private(path, _MAX_BYTES)
    if content is None:
        return None
    text = content.decode("ascii", "replace").strip()
    if not text:
        raise InstarError("data_corrupt", f"{path} holds no token", hint=f"Remove {path}, then start again.")
    return text


def write(path: Path, token: str) -> None:
    """Create the file with the token, durably, readable by its owner alone.

    Raises:
        InstarError: `conflict` when there is such a file already.
    """
    create_private(path, token.encode() + b"\n")
