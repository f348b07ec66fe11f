"""YAML as the settings file may be written: safe types only, one document, and no word to standard error."""

import re
from collections.abc import Callable
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError

from instar.base.errors import InstarError
from instar.wire.limits import SETTINGS_FILE_MAX_BYTES


class _QuietComposer(Composer):
    """Takes an anchor that is used twice: a warning would print the lines around it, and what is secret in them."""

    def __init__(self, loader: Any = None) -> None:  # noqa: ANN401 - as its base
        super().__init__(loader)  # pyright: ignore[reportUnknownMemberType]
        self.warn_double_anchors = False


def _parser() -> Any:  # noqa: ANN401 - the library has no types
    parser = YAML(typ="safe", pure=True)
    parser.Composer = _QuietComposer
    return parser


def parsed(text: str, place: str) -> object:
    """Return what a document says.

    Args:
        text: The document.
        place: What errors call it.

    Raises:
        InstarError: `bad_request`: it is no YAML, or too large. The error quotes nothing of it: that may be a secret.
    """
    return _read(_parser().load, text, place)


def composed(text: str) -> object:
    """Return the tree of nodes of a document, each with its place in the text; None for an empty one.

    Raises:
        InstarError: As `parsed`.
    """
    return _read(_parser().compose, text, "the settings file")


def _read(read: Callable[[str], object], text: str, place: str) -> object:
    if len(text.encode("utf-8", "surrogatepass")) > SETTINGS_FILE_MAX_BYTES:
        raise InstarError("bad_request", f"{place} is larger than {SETTINGS_FILE_MAX_BYTES} bytes")
    try:
        return read(text)
    except YAMLError as error:
        where = _position(error)
    except Exception as error:  # noqa: BLE001 - odd texts make the library fail in many ways of its own
        where = f" ({type(error).__name__})"
    raise InstarError("bad_request", f"{place} is not YAML{where}", hint="Correct the file.")


def _position(error: YAMLError) -> str:
    mark = cast("Any", getattr(error, "problem_mark", None))
    if mark is None:
        return ""
    unquoted = re.split(r"['\"]", str(getattr(error, "problem", "")))[0].strip()
    return f": line {mark.line + 1}, column {mark.column + 1}: {unquoted}"
