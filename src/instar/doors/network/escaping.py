"""Foreign text inside Markdown, YAML and shell: a room's name must not become an instruction."""

import json
import re
import shlex

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~])")
_SPACE = re.compile(r"\s+")


def markdown(text: str) -> str:
    """Return `text` as plain words in a Markdown line."""
    return _MARKDOWN.sub(r"\\\1", _SPACE.sub(" ", text).strip())


def code(text: str) -> str:
    """Return `text` as inline code; a backtick in it becomes an apostrophe."""
    return "`" + _SPACE.sub(" ", text).strip().replace("`", "'") + "`"


def yaml(text: str) -> str:
    """Return `text` as a quoted YAML scalar."""
    return json.dumps(text, ensure_ascii=False)


def shell(text: str) -> str:
    """Return `text` as one word of a POSIX shell, on one line."""
    return shlex.quote(_SPACE.sub(" ", text))
