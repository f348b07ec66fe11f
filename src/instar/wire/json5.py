"""JSON5, read: JSON with comments, trailing commas, bare names, single quotes and further numbers. IO-free."""

import re
from typing import Any, NoReturn

from instar.wire.limits import JSON_DEPTH_MAX

_BLANK = re.compile(r"(?:\s+|\ufeff|//[^\n\r\u2028\u2029]*|/\*[\s\S]*?\*/)+")
_NAME = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|Infinity|NaN)")
_PLAIN = re.compile(r"[^\\\n\r\"']+")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_WORDS = {"true": True, "false": False, "null": None}
_WIDTHS = {"x": 2, "u": 4}


class Json5Error(ValueError):
    """The text is no JSON5; the message says where."""


def parse_json5(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value that a text says.

    Raises:
        Json5Error: It is no JSON5, or nested deeper than `JSON_DEPTH_MAX`, or a number is not finite.
    """
    reader = _Reader(text)
    value = reader.value(0)
    reader.blank()
    if reader.at < len(text):
        reader.fail("something follows the value")
    return value


class _Reader:
    """Reads one text from front to back."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def fail(self, problem: str) -> NoReturn:
        line = self._text.count("\n", 0, self.at) + 1
        column = self.at - self._text.rfind("\n", 0, self.at)
        raise Json5Error(f"{problem} at line {line}, column {column}")

    def blank(self) -> str:
        """Skip what says nothing, and return the next character; empty: the end."""
        if found := _BLANK.match(self._text, self.at):
            self.at = found.end()
        return self._text[self.at : self.at + 1]

    def value(self, depth: int) -> Any:  # noqa: ANN401 - any JSON value
        first = self.blank()
        if depth > JSON_DEPTH_MAX:
            self.fail("too deep")
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        if first in ('"', "'") and first:
            return self._string(first)
        name = _NAME.match(self._text, self.at)
        if name and name[0] in _WORDS:
            self.at = name.end()
            return _WORDS[name[0]]
        return self._number()

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (first := self.blank()) != "}":
            key = self._string(first) if first in ('"', "'") and first else self._name()
            if self.blank() != ":":
                self.fail("a colon is missing")
            self.at += 1
            found[key] = self.value(depth + 1)
            self._comma("}")
        self.at += 1
        return found

    def _array(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while self.blank() != "]":
            found.append(self.value(depth + 1))
            self._comma("]")
        self.at += 1
        return found

    def _comma(self, end: str) -> None:
        first = self.blank()
        if first == ",":
            self.at += 1
        elif first != end:
            self.fail(f"a comma or {end!r} is missing")

    def _name(self) -> str:
        found = _NAME.match(self._text, self.at)
        if found is None:
            self.fail("a name is missing")
        self.at = found.end()
        return found[0]

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self.at)
        if found is None:
            self.fail("a value is missing")
        word = found[0]
        if word.lstrip("+-") in ("Infinity", "NaN"):
            self.fail("a number is not finite")
        self.at = found.end()
        if "x" in word.lower():
            return int(word, 16)
        return int(word) if word.lstrip("+-").isdigit() and len(word) < 64 else float(word)

    def _string(self, quote: str) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            if found := _PLAIN.match(self._text, self.at):
                parts.append(found[0])
                self.at = found.end()
            char = self._text[self.at : self.at + 1]
            self.at += 1
            if char == quote:
                return "".join(parts)
            if char == "\\":
                parts.append(self._escape())
            elif char in ('"', "'") and char:
                parts.append(char)
            else:
                self.at -= 1
                self.fail("a text does not end")

    def _escape(self) -> str:
        char = self._text[self.at : self.at + 1]
        self.at += 1
        if char in _WIDTHS:
            return self._code(_WIDTHS[char])
        if char == "\r" and self._text.startswith("\n", self.at):
            self.at += 1
        return "" if char in "\n\r\u2028\u2029" else _ESCAPES.get(char, char)

    def _code(self, width: int) -> str:
        digits = self._text[self.at : self.at + width]
        if not re.fullmatch(rf"[0-9a-fA-F]{{{width}}}", digits):
            self.fail("an escape is none")
        self.at += width
        high = int(digits, 16)
        low = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self._text, self.at)
        if 0xD800 <= high < 0xDC00 and low:
            self.at = low.end()
            return chr(0x10000 + ((high - 0xD800) << 10) + int(low[1], 16) - 0xDC00)
        if 0xD800 <= high < 0xE000:
            self.fail("half a character")
        return chr(high)
