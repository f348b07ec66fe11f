"""Where everything stands in the text of a settings file, IO-free."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from instar.base.errors import InstarError

from .keys import ALIASES, SECTIONS
from .parsing import composed


class _Mark(Protocol):
    """A place in the text, as the parser gives it."""

    index: int
    column: int


class _Node(Protocol):
    """What the parser found."""

    id: str
    """`scalar`, `sequence` or `mapping`."""
    value: Any
    flow_style: bool | None
    start_mark: _Mark
    end_mark: _Mark


class Shape(enum.Enum):
    """How a value is written."""

    EMPTY = enum.auto()
    INLINE = enum.auto()
    """A scalar, or a list in brackets."""
    DASHES = enum.auto()
    """A list with one item a line."""
    LINES = enum.auto()
    """A mapping with one entry a line."""
    BRACES = enum.auto()
    """A mapping in braces."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One `name: value`, or the whole document under no name; places are indexes into the text."""

    name: str
    begin: int
    column: int
    colon: int
    """Right after the colon."""
    value_begin: int
    value_column: int
    value_end: int
    """Without the blank space and comments that follow."""
    shape: Shape
    scalar: str = ""
    entries: Sequence["Entry"] = ()


class Splice(NamedTuple):
    """A piece of the text to be replaced."""

    begin: int
    end: int
    text: str


def outline(text: str) -> Entry | None:
    """Return the document's mapping; None for an empty one.

    Raises:
        InstarError: `bad_request`: the text is no YAML, or no mapping.
    """
    node = cast("_Node | None", composed(text))
    if node is None or node.value == "":
        return None
    if node.id != "mapping":
        raise InstarError("bad_request", "the settings file holds no mapping", hint="Write settings as `key: value`.")
    return _entry(text, "", node, node, node.start_mark.index)


def _entry(text: str, name: str, key: _Node, value: _Node, colon: int) -> Entry:
    shape = _shape(value)
    begin = colon if shape is Shape.EMPTY else value.start_mark.index  # the parser reports nothing at what follows it
    return Entry(
        name,
        key.start_mark.index,
        key.start_mark.column,
        colon,
        begin,
        value.start_mark.column,
        begin if shape is Shape.EMPTY else _end(text, value),
        shape,
        value.value if value.id == "scalar" else "",
        tuple(_inner(text, value)) if value.id == "mapping" else (),
    )


def _inner(text: str, node: _Node) -> Iterator[Entry]:
    for key, value in cast("list[tuple[_Node, _Node]]", node.value):
        colon = text.find(":", key.end_mark.index) + 1
        yield _entry(text, str(key.value), key, value, colon)


def _shape(node: _Node) -> Shape:
    if node.id == "mapping":
        return Shape.BRACES if node.flow_style else Shape.LINES
    if node.id == "sequence" and not node.flow_style:
        return Shape.DASHES
    return Shape.EMPTY if node.start_mark.index == node.end_mark.index else Shape.INLINE


def _end(text: str, node: _Node) -> int:
    if _shape(node) in (Shape.LINES, Shape.DASHES) and node.value:
        last: _Node = node.value[-1][1] if node.id == "mapping" else node.value[-1]
        if _shape(last) is not Shape.EMPTY:
            return _end(text, last)
    begin = node.start_mark.index
    return begin + len(text[begin : node.end_mark.index].rstrip())


def leaves(entry: Entry, path: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield (key, entry) of each value of a document that mirrors the tree; an alias counts as its key."""
    for inner in entry.entries:
        key = f"{path}.{inner.name}" if path else inner.name
        if key in SECTIONS and inner.shape in (Shape.LINES, Shape.BRACES):
            yield from leaves(inner, key)
        else:
            yield ALIASES.get(key, key), inner


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """Return the text with these pieces replaced; those at one place come in their order."""
    for splice in sorted(splices, key=lambda one: one.begin)[::-1]:
        text = text[: splice.begin] + splice.text + text[splice.end :]
    return text
