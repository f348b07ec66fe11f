"""Changes of the file's text, IO-free: only what a change is about is written anew, every other character stays.

The parser says where each value stands, and the change is spliced in there: comments, order, quotes and indentation of
all else are kept as they are. (Dumping a parsed document anew would move comments and indent everything its own way.)
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from instar.base.errors import InstarError

from .keys import ALIASES, SECTIONS
from .outline import Entry, Shape, Splice, outline, spliced
from .sources import from_text

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INDENT = 2


def edited(text: str, changes: Mapping[str, Any]) -> str:
    """Return the text with these keys set; None removes one. In a document in braces no comment is kept.

    Args:
        text: A settings file that `from_text` can read.
        changes: Key → value in the key's type, or None.

    Raises:
        InstarError: `unprocessable_entity` when the text is written in a way that cannot be changed in place: with
            anchors, say. Nothing is ever changed besides these keys.
    """
    before = from_text(text)
    changes = {key: value for key, value in changes.items() if value is not None or key in before}
    wanted = {key: value for key, value in {**before, **changes}.items() if value is not None}
    fresh = _Editor(text, before).edited(changes, wanted) if changes else text
    if _reading(fresh) != wanted:
        raise InstarError(
            "unprocessable_entity",
            "the settings file is written in a way that cannot be changed in place",
            hint="Edit it by hand, or replace the whole file.",
        )
    return fresh


def _reading(text: str) -> Mapping[str, Any] | None:
    try:
        return from_text(text)
    except InstarError:
        return None


class _Editor:
    """Finds the splices that a change needs.

    Args:
        text: The document.
        before: What it says.
    """

    def __init__(self, text: str, before: Mapping[str, Any]) -> None:
        self._text = text
        self._before = before
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def edited(self, changes: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
        """Return the changed document."""
        root = outline(self._text)
        if root is not None and root.shape is Shape.BRACES:
            whole = _quoted(_nested(wanted), indent=_INDENT)
            return spliced(self._text, [Splice(root.value_begin, root.value_end, whole)])
        return spliced(self._text, list(self._splices(root, changes)))

    def _splices(self, root: Entry | None, changes: Mapping[str, Any]) -> Iterator[Splice]:
        entries = {entry.name: entry for entry in root.entries} if root else {}
        missing: list[str] = []
        for name, part in _by_section(changes).items():
            entry = entries.get(name)
            if entry is None:
                missing += self._fresh(name, part)
            elif name in SECTIONS:
                yield from self._in_section(entry, part)
            else:
                yield self._changed(entry, part[name])
        if missing:
            joint = self._newline if self._text and not self._text.endswith("\n") else ""
            indent = " " * (root.value_column if root else 0)
            lines = "".join(f"{indent}{line}{self._newline}" for line in missing)
            yield Splice(len(self._text), len(self._text), joint + lines)

    def _fresh(self, name: str, part: Mapping[str, Any]) -> list[str]:
        """Return the lines of a section, or of a key of its own, that the document does not have yet."""
        if name not in SECTIONS:
            return [f"{name}: {_yaml(part[name])}"]
        return [f"{name}:", *(f"{' ' * _INDENT}{_leaf(key)}: {_yaml(value)}" for key, value in part.items())]

    def _in_section(self, section: Entry, part: Mapping[str, Any]) -> Iterator[Splice]:
        if section.shape is Shape.BRACES:
            held = {key: value for key, value in self._before.items() if key.startswith(f"{section.name}.")}
            inner = (f"{_leaf(key)}: {_yaml(value)}" for key, value in {**held, **part}.items() if value is not None)
            yield Splice(section.value_begin, section.value_end, "{" + ", ".join(inner) + "}")
        elif section.shape is Shape.LINES:
            yield from self._among_lines(section, part)
        else:
            yield self._opened(section, part)

    def _among_lines(self, section: Entry, part: Mapping[str, Any]) -> Iterator[Splice]:
        """Change the entries of a section with one a line; new ones come after the last that stays."""
        entries = {f"{section.name}.{entry.name}": entry for entry in section.entries}
        staying = [entry.value_end for key, entry in entries.items() if part.get(key, True) is not None]
        at = self._line_end(max(staying, default=section.colon))
        for key, value in part.items():
            if key in entries:
                yield self._changed(entries[key], value)
            else:
                yield Splice(at, at, self._lines({key: value}, section.value_column))

    def _opened(self, section: Entry, part: Mapping[str, Any]) -> Splice:
        """Make a mapping of a section that has none: an empty one, or the short form `listen: ADDRESS`."""
        alias = ALIASES.get(section.name, "")
        held = {alias: self._before[alias]} if alias in self._before else {}
        whole = {key: value for key, value in {**held, **part}.items() if value is not None}
        return Splice(section.colon, section.value_end, self._lines(whole, section.column + _INDENT))

    def _lines(self, values: Mapping[str, Any], column: int) -> str:
        return "".join(f"{self._newline}{' ' * column}{_leaf(key)}: {_yaml(each)}" for key, each in values.items())

    def _changed(self, entry: Entry, value: Any) -> Splice:  # noqa: ANN401 - the value of any setting
        """Give an entry another value, or take its lines out."""
        if value is None:
            begin = entry.begin - entry.column
            end = self._line_end(max(entry.value_end, entry.colon)) + len(self._newline)
            return Splice(begin, min(end, len(self._text)), "")
        if entry.shape is Shape.DASHES and value:
            joint = f"{self._newline}{' ' * entry.value_column}"
            return Splice(entry.value_begin, entry.value_end, joint.join(f"- {_yaml(item)}" for item in value))
        if entry.shape is Shape.INLINE:
            return Splice(entry.value_begin, entry.value_end, _yaml(value))
        return Splice(entry.colon, max(entry.colon, entry.value_end), f" {_yaml(value)}")

    def _line_end(self, index: int) -> int:
        found = self._text.find(self._newline, index)
        return len(self._text) if found < 0 else found


def _by_section(changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        found.setdefault(key.partition(".")[0], {})[key] = value
    return found


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (found.setdefault(section, {}) if section else found)[name] = value
    return found


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _yaml(value: Any) -> str:  # noqa: ANN401 - the value of any setting
    """Return a value as YAML on one line: plain where that is safe, else as JSON, which YAML includes."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, cast("list[Any]", value))) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _quoted(value)


def _quoted(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - as above
    """Return JSON that is YAML too, which takes fewer characters as they are."""
    return _UNPRINTABLE.sub(
        lambda found: f"\\U{ord(found[0]):08x}", json.dumps(value, ensure_ascii=False, indent=indent)
    )
