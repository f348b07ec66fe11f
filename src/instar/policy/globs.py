"""Globs of rules: `*` is any run of characters, slashes and newlines among them, `?` is one, all else is itself.

Case counts. Nothing escapes: a rule that must not match a star matches it with `?`. Matching takes at most time in
proportion to glob times value, whatever either holds.
"""

import re
from functools import lru_cache


class Glob:
    """A compiled glob; see the module for what it matches."""

    __slots__ = ("_first", "_last", "_middle", "_shortest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        pieces = text.split("*")
        self._shortest = sum(map(len, pieces))
        self._first = _Piece(pieces[0])
        self._last = _Piece(pieces[-1]) if len(pieces) > 1 else None
        self._middle = [_Piece(piece) for piece in pieces[1:-1] if piece]

    def matches(self, value: str) -> bool:
        """Whether the whole of `value` fits."""
        if self._last is None:
            return self._first.fullmatch(value) is not None
        if len(value) < self._shortest or self._first.match(value) is None:
            return False
        at, end = len(self._first.text), len(value) - len(self._last.text)
        if end < at or self._last.match(value, end) is None:
            return False
        for piece in self._middle:
            found = piece.search(value, at, end)
            if found is None:
                return False
            at = found.end()
        return True


class _Piece:
    """What stands between two stars: as many characters as its text has."""

    __slots__ = ("fullmatch", "match", "search", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        pattern = re.compile("".join("." if char == "?" else re.escape(char) for char in text), re.DOTALL)
        self.match = pattern.match
        self.fullmatch = pattern.fullmatch
        self.search = pattern.search


@lru_cache(maxsize=4_096)
def compile_glob(text: str) -> Glob:
    """Return the glob that this text is. Every text is one."""
    return Glob(text)


def matches(glob: str, value: str) -> bool:
    """Whether the whole of `value` fits the glob."""
    return compile_glob(glob).matches(value)
