"""Unified diffs: read them, and apply one to a text. IO-free."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from instar.base.errors import InstarError

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NOTHING = "/dev/null"
_QUOTED = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "r": "\r", "v": "\v"}
_DRIFT_MAX = 100_000
"""So many lines away a hunk is looked for."""


@dataclass(slots=True)
class Hunk:
    """One piece: what it expects, and what it makes of it. Lines keep their ends."""

    start: int
    """1-based line of the old text; 0 before the first."""
    old: list[str] = field(default_factory=list[str])
    new: list[str] = field(default_factory=list[str])
    added: int = 0
    removed: int = 0


@dataclass(slots=True)
class FileDiff:
    """What happens to one file. An empty old path adds it, an empty new path deletes it."""

    old_path: str
    new_path: str
    hunks: list[Hunk] = field(default_factory=list[Hunk])


def parse(patch: str) -> list[FileDiff]:
    """Read a unified diff, as `diff -u` and git write it.

    Raises:
        InstarError: `unprocessable_entity` with the line that cannot be read.
    """
    return _Reader(lines_of(patch)).files()


def apply(text: str, diff: FileDiff) -> str:
    """Return the text with all hunks applied; each must fit exactly, though its lines may have moved.

    Raises:
        InstarError: `conflict` for a hunk that fits nowhere.
    """
    lines = lines_of(text)
    made: list[str] = []
    done = drift = 0
    for number, hunk in enumerate(diff.hunks, 1):
        wanted = (hunk.start - 1 if hunk.old else hunk.start) + drift
        at = _find(lines, hunk.old, max(wanted, done), done)
        if at is None:
            raise InstarError(
                "conflict",
                f"hunk {number} of {diff.old_path or diff.new_path} (line {hunk.start}) does not fit the file",
                hint="Read the file again and make the diff from what it holds now.",
            )
        drift += at - wanted
        made += lines[done:at] + hunk.new
        done = at + len(hunk.old)
    return "".join(made + lines[done:])


def _find(lines: Sequence[str], old: Sequence[str], wanted: int, first: int) -> int | None:
    """Return where `old` stands, nearest to `wanted` and not before `first`."""
    last = len(lines) - len(old)
    for away in range(_DRIFT_MAX):
        before, after = wanted - away, wanted + away
        if before < first and after > last:
            return None
        for at in (after, before):
            if first <= at <= last and lines[at : at + len(old)] == old:
                return at
    return None


def lines_of(text: str) -> list[str]:
    """Return lines with their ends; only LF ends one: a CR belongs to its line."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def files(self) -> list[FileDiff]:
        found: list[FileDiff] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith("--- ") and self._next_starts("+++ "):
                found.append(self._file())
            elif line.startswith("rename from ") and self._next_starts("rename to "):
                found.append(self._renamed())
            elif line.startswith(("GIT binary patch", "Binary files ")):
                self._refuse("binary changes cannot be applied; use put_file")
            else:
                self._at += 1
        if not found:
            raise InstarError(
                "unprocessable_entity", "the patch names no file", hint="Give lines `--- a/FILE` and `+++ b/FILE`."
            )
        return found

    def _file(self) -> FileDiff:
        old, new = (_path(self._lines[self._at + step][4:]) for step in (0, 1))
        self._at += 2
        old, new = _stripped(old, new)
        if not old and not new:
            self._refuse("a change has two empty sides")
        diff = FileDiff(old, new)
        while self._at < len(self._lines) and (head := _HUNK.match(self._lines[self._at])):
            self._at += 1
            diff.hunks.append(self._hunk(head))
        return diff

    def _renamed(self) -> FileDiff:
        old = _path(self._lines[self._at].removeprefix("rename from "))
        new = _path(self._lines[self._at + 1].removeprefix("rename to "))
        self._at += 2
        while self._at < len(self._lines) and not self._lines[self._at].startswith(("--- ", "diff ", "rename ")):
            self._at += 1
        if self._at < len(self._lines) and self._lines[self._at].startswith("--- ") and self._next_starts("+++ "):
            return FileDiff(old, new, self._file().hunks)
        return FileDiff(old, new)

    def _hunk(self, head: re.Match[str]) -> Hunk:
        left, right = (int(head[group] or 1) if head[group] is not None else 1 for group in (2, 4))
        hunk = Hunk(int(head[1]))
        while left > 0 or right > 0:
            if self._at >= len(self._lines):
                self._refuse("the hunk ends too early")
            line = self._lines[self._at]
            mark, rest = (line[0], line[1:]) if line.strip("\r\n") else (" ", line)
            if mark not in " +-":
                self._refuse("the hunk holds fewer lines than its head says")
            if mark in " -":
                hunk.old.append(rest)
                left -= 1
            if mark in " +":
                hunk.new.append(rest)
                right -= 1
            hunk.added += mark == "+"
            hunk.removed += mark == "-"
            self._at += 1
            self._end_of_file(hunk, mark)
        if left or right:
            self._refuse("the hunk holds more lines than its head says")
        return hunk

    def _end_of_file(self, hunk: Hunk, mark: str) -> None:
        """Take the end of a line away when the diff says that the file has none there."""
        if self._at < len(self._lines) and self._lines[self._at].startswith("\\"):
            self._at += 1
            for lines in (hunk.old if mark in " -" else None, hunk.new if mark in " +" else None):
                if lines:
                    lines[-1] = lines[-1].removesuffix("\n")

    def _next_starts(self, text: str) -> bool:
        return self._at + 1 < len(self._lines) and self._lines[self._at + 1].startswith(text)

    def _refuse(self, reason: str) -> None:
        raise InstarError(
            "unprocessable_entity",
            f"the patch cannot be read at line {min(self._at + 1, len(self._lines))}: {reason}",
            hint="Make it with `diff -u` or `git diff`.",
        )


def _path(text: str) -> str:
    """Return the path of a head line, without the time that `diff` writes behind it."""
    text = text.rstrip("\r\n")
    if text.startswith('"'):
        return _unquoted(text)
    return text.split("\t", 1)[0]


def _unquoted(text: str) -> str:
    """Read git's quoting of names with unusual letters."""
    made, at = bytearray(), 1
    while at < len(text) and text[at] != '"':
        letter = text[at]
        if letter == "\\" and (octal := re.match(r"[0-7]{3}", text[at + 1 : at + 4])):
            made.append(int(octal[0], 8) & 0xFF)
            at += 4
        elif letter == "\\" and at + 1 < len(text):
            made += _QUOTED.get(text[at + 1], text[at + 1]).encode()
            at += 2
        else:
            made += letter.encode()
            at += 1
    return made.decode(errors="surrogateescape")


def _stripped(old: str, new: str) -> tuple[str, str]:
    """Take git's `a/` and `b/` away, where both sides that are there have them; nothing is the empty path."""
    old, new = ("" if path == _NOTHING else path for path in (old, new))
    if all(not path or path.startswith(mark) for path, mark in ((old, "a/"), (new, "b/"))):
        return old.removeprefix("a/"), new.removeprefix("b/")
    return old, new
