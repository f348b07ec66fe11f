"""The file's text as an operator may see it: no secret leaves the hub's machine. IO-free."""

import json
import re
from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError

from .keys import KEYS, SECRETS, SET
from .outline import Entry, Shape, Splice, leaves, outline, spliced

_SECRET_COMMENT = re.compile(r"(#.*?\b(?:token|password)\b[\"']?\s*[:=]\s*)\S+")


def masked(text: str) -> str:
    """Return the text without the values of secrets, in comments too, and without those of unknown keys.

    An unknown key may be a misspelt secret. A text that is no YAML is left out altogether.
    """
    written = _values(text)
    if written is None:
        return ""
    hidden = [(key, entry) for key, entry in written if key in SECRETS or key not in KEYS]
    splices = {Splice(entry.value_begin, entry.value_end, SET) for _, entry in hidden if entry.shape is not Shape.EMPTY}
    fresh = _SECRET_COMMENT.sub(rf"\1{SET}", spliced(text, list(splices)))
    for secret in {entry.scalar for key, entry in hidden if key in SECRETS and entry.scalar}:
        fresh = fresh.replace(secret, SET)
    return fresh


def unmasked(text: str, present: Mapping[str, Any]) -> str:
    """Return a text that was made from a masked one with the present secrets in their places again.

    Raises:
        InstarError: `unprocessable_entity` for a masked secret of which there is none at present.
    """
    places = [(key, entry) for key, entry in _values(text) or () if key in SECRETS and entry.scalar == SET]
    for key, _ in places:
        if not present.get(key):
            raise InstarError("unprocessable_entity", f"`{key}` is {SET}, but no value of it is known")
    return spliced(text, [Splice(one.value_begin, one.value_end, json.dumps(present[key])) for key, one in places])


def _values(text: str) -> list[tuple[str, Entry]] | None:
    """Return (key, entry) of each value; None of what cannot be read: who reads it next says what is wrong."""
    try:
        root = outline(text)
    except InstarError:
        return None
    return list(leaves(root)) if root is not None else []
