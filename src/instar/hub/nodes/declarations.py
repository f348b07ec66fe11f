"""What a node may say of itself: checked and made fit to be shown before anything is kept."""

import re
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from instar.base.errors import InstarError
from instar.hub.identity.devices.requests import shown
from instar.wire.execution import Declaration
from instar.wire.limits import (
    LINK_STREAMS_MAX,
    NODE_CALLS_MAX,
    NODE_COMMANDS_MAX,
    NODE_LABELS_MAX,
    NODE_REPORT_MAX_BYTES,
    PATH_MAX_CHARS,
)

_LABEL_KEY = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9._-]{0,63}")
_COMMAND_MAX_CHARS = 128


def checked(declaration: Declaration) -> Declaration:
    """Return a node's declaration as it is kept: one line a word, labels that are some, each command once.

    Raises:
        InstarError: `unprocessable_entity` when it is larger than a declaration may be.
    """
    if len(msgspec.json.encode(declaration)) > NODE_REPORT_MAX_BYTES:
        raise InstarError("unprocessable_entity", f"the declaration is larger than {NODE_REPORT_MAX_BYTES} bytes")
    if len(declaration.commands) > NODE_COMMANDS_MAX or len(declaration.capabilities) > NODE_COMMANDS_MAX:
        raise InstarError("unprocessable_entity", f"a node declares at most {NODE_COMMANDS_MAX} commands")
    if len(declaration.labels) > NODE_LABELS_MAX:
        raise InstarError("unprocessable_entity", f"a node has at most {NODE_LABELS_MAX} labels")
    return replace(
        declaration,
        name=shown(declaration.name),
        platform=shown(declaration.platform),
        version=shown(declaration.version),
        commands=_words(declaration.commands),
        capabilities=_words(declaration.capabilities),
        labels={key: value for key, value in declaration.labels.items() if _is_label(key, value)},
        roots=[root[:PATH_MAX_CHARS] for root in declaration.roots],
        working_dir=declaration.working_dir[:PATH_MAX_CHARS],
        concurrency=max(0, declaration.concurrency),
    )


def calls_max(declaration: Declaration) -> int:
    """Return how many calls at once a node with this declaration gets."""
    return min(declaration.concurrency or NODE_CALLS_MAX, LINK_STREAMS_MAX)


def merged(declared: dict[str, str], operators: dict[str, str]) -> dict[str, str]:
    """Return the labels that hold: the operators' win, and an empty one of theirs hides a declared one."""
    both = declared | operators
    return {key: value for key, value in sorted(both.items()) if value or key not in operators}


def _words(words: Iterable[str]) -> list[str]:
    return list(
        dict.fromkeys(word for word in words if word and len(word) <= _COMMAND_MAX_CHARS and shown(word) == word)
    )


def _is_label(key: str, value: str) -> bool:
    return _LABEL_KEY.fullmatch(key) is not None and _LABEL_VALUE.fullmatch(value) is not None
