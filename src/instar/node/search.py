"""Searches a folder in a process of its own, which can be killed whatever a pattern does to it.

It is run by its file name under `python -I -S`, so it imports the standard library alone: it starts in 15 ms. Only
where rules are to be asked does it take them from this package, whose folder is named to it.
Standard input: one JSON object (`Order`). Standard output: matches as JSON lines, best first, then a last line with
`is_truncated`. It reads below the folder that it inherits as a handle, and follows no symbolic link.
"""

import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

_VCS = frozenset({".git", ".hg", ".svn"})
_SAMPLE_BYTES = 4_096
_LINE_MAX_BYTES = 1_048_576
"""A longer line is searched in pieces of this size."""
_BRACES_MAX = 64
_STAR = "*"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

Segment = Callable[[str], bool]


class BadPatternError(ValueError):
    """The pattern cannot be read."""


def main() -> int:
    """Carry one order out."""
    order: dict[str, Any] = json.load(sys.stdin)
    try:
        found = grep(order) if order["kind"] == "grep" else glob(order)
        for line in found:
            sys.stdout.write(json.dumps(line) + "\n")
    except BadPatternError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
    sys.stdout.flush()
    return 0


def glob(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the newest files that fit a glob."""
    fits = compile_glob(order["pattern"])
    shows_hidden = any(part.startswith(".") for part in order["pattern"].split("/"))
    deadline = time.monotonic() + order["walk_s"]
    found = [(-changed, path) for path, changed in walk(order, deadline, with_hidden=shows_hidden) if fits(path)]
    found.sort()
    for _, path in found[: order["limit"]]:
        yield {"file": printable(path)}
    yield {"is_truncated": len(found) > order["limit"], "is_partial": time.monotonic() > deadline}


def grep(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield lines that fit a regular expression, those of the newest file first."""
    try:
        pattern = re.compile(order["pattern"])
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPatternError(f"the regular expression cannot be read: {error}") from error
    wanted = _included(order["include"])
    shows_hidden = any(part.startswith(".") for part in order["include"].split("/"))
    deadline = time.monotonic() + order["walk_s"]
    if order["name"]:
        # A file that is named was judged by its name.
        files, withheld = [(0.0, str(order["name"]))], 0
    else:
        found = walk(order, deadline, with_hidden=shows_hidden)
        files, withheld = _readable(order, ((-changed, path) for path, changed in found if wanted(path)))
    is_partial = time.monotonic() > deadline
    count = 0
    for _, path in files:
        for number, text in _matches(order, path, pattern):
            if count == order["limit"]:
                yield {"is_truncated": True, "is_partial": is_partial, "withheld": withheld}
                return
            count += 1
            yield {"file": printable(path), "line": number, "text": text[: order["line_max"]]}
    yield {"is_truncated": False, "is_partial": is_partial, "withheld": withheld}


def _readable(order: dict[str, Any], found: Iterator[tuple[float, str]]) -> tuple[list[tuple[float, str]], int]:
    """Return the files that the rules let be read, newest first, and how many they do not."""
    if not order["read_rules"]:
        return sorted(found), 0
    sys.path.append(order["library"])
    from instar.policy.reading import Reading  # noqa: PLC0415 - found from here on

    reading = Reading(order["read_rules"], order["folders"], order["cwd"])
    files: list[tuple[float, str]] = []
    withheld = 0
    for changed, path in found:
        if reading.admits(path):
            files.append((changed, path))
        else:
            withheld += 1
    return sorted(files), withheld


def walk(order: dict[str, Any], deadline: float, *, with_hidden: bool) -> Iterator[tuple[str, float]]:
    """Yield the regular files below the folder with their times; what may not be read is passed over."""
    closed = {tuple(each) for each in order["closed"]}
    kernel = set(order["kernel"])
    waiting: list[str] = [""]
    while waiting and time.monotonic() < deadline:
        folder = waiting.pop()
        try:
            handle = _open_below(order["folder"], folder)
        except OSError:
            continue
        try:
            here = os.fstat(handle)
            if (here.st_dev, here.st_ino) in closed or here.st_dev in kernel:
                continue
            with os.scandir(handle) as entries:
                for entry in entries:
                    if not with_hidden and entry.name.startswith("."):
                        continue
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _VCS:
                            waiting.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        yield path, entry.stat(follow_symlinks=False).st_mtime
        except OSError:
            continue
        finally:
            os.close(handle)


def compile_glob(pattern: str) -> Callable[[str], bool]:
    """Return whether a path fits: `*` and `?` within a name, `**` any folders, `[a-z]`, `{one,other}`.

    It takes no longer than path times pattern, whatever stars they hold. A pattern without `/` fits names anywhere.

    Raises:
        BadPatternError: Its braces stand for too many patterns.
    """
    alternatives = [_segments(each) for each in _braces(pattern.removeprefix("./"))]
    return lambda path: any(_fit(segments, path.split("/")) for segments in alternatives)


def _included(pattern: str) -> Callable[[str], bool]:
    return compile_glob(pattern) if pattern else lambda path: True  # noqa: ARG005 - every path is wanted


def _matches(order: dict[str, Any], path: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    try:
        parent, _, name = path.rpartition("/")
        handle = _open_below(order["folder"], parent)
        try:
            descriptor = os.open(name, _FILE, dir_fd=handle)
        finally:
            os.close(handle)
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_dev in order["kernel"] or b"\0" in file.peek(_SAMPLE_BYTES):
            return
        number = 1
        while line := file.readline(_LINE_MAX_BYTES):
            text = line.decode(errors="replace").rstrip("\r\n")
            if pattern.search(text):
                yield number, text
            number += line.endswith(b"\n")


def _open_below(folder: int, path: str) -> int:
    """Open a folder below another, name by name, through no link."""
    handle = os.open(".", _FOLDER, dir_fd=folder)
    for name in filter(None, path.split("/")):
        try:
            deeper = os.open(name, _FOLDER, dir_fd=handle)
        finally:
            os.close(handle)
        handle = deeper
    return handle


def _segments(pattern: str) -> list[Segment | None]:
    """Return what each part of a path must be; None stands for any folders."""
    parts = [part for part in pattern.split("/") if part]
    if len(parts) == 1 and "/" not in pattern:
        parts = ["**", *parts]
    if parts and parts[-1] == "**":
        parts.append("*")
    return [None if part == "**" else _segment(part) for part in parts]


def _fit(segments: list[Segment | None], names: list[str]) -> bool:
    """Whether names fit, with one place to come back to: the last `**`."""
    at = name_at = 0
    star, begun = -1, 0
    while name_at < len(names):
        segment = segments[at] if at < len(segments) else _never
        if segment is None:
            star, begun, at = at, name_at, at + 1
        elif segment(names[name_at]):
            at, name_at = at + 1, name_at + 1
        elif star >= 0:
            begun += 1
            at, name_at = star + 1, begun
        else:
            return False
    return all(segment is None for segment in segments[at:])


def _never(name: str) -> bool:  # noqa: ARG001 - the shape of a segment
    return False


def _segment(pattern: str) -> Segment:
    """Return whether a name fits, letter by letter, with one place to come back to: the last `*`."""
    tokens = _tokens(pattern)

    def fits(name: str) -> bool:
        at = letter_at = 0
        star, begun = -1, 0
        while letter_at < len(name):
            if at < len(tokens) and tokens[at] == _STAR:
                star, begun, at = at, letter_at, at + 1
            elif at < len(tokens) and _letter_fits(tokens[at], name[letter_at]):
                at, letter_at = at + 1, letter_at + 1
            elif star >= 0:
                begun += 1
                at, letter_at = star + 1, begun
            else:
                return False
        return tokens[at:] in ([], [_STAR])

    return fits


def _letter_fits(token: str, letter: str) -> bool:
    if token.startswith("["):
        return _in_class(token[1:], letter)
    return token in ("?", f"\\{letter}")


def _in_class(members: str, letter: str) -> bool:
    is_negated = members[:1] in ("!", "^")
    members = members[1:] if is_negated else members
    at, found = 0, False
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            found = found or members[at] <= letter <= members[at + 2]
            at += 3
        else:
            found = found or members[at] == letter
            at += 1
    return found != is_negated


def _tokens(pattern: str) -> list[str]:
    """Split into `*`, `?`, classes (`[…` without the end) and letters (behind a backslash)."""
    found: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        end = pattern.find("]", at + 2) if letter == "[" else -1
        if end > 0:
            found.append(pattern[at:end])
            at = end
        elif letter == "\\" and at + 1 < len(pattern):
            at += 1
            found.append("\\" + pattern[at])
        elif letter != _STAR or found[-1:] != [_STAR]:
            found.append(letter if letter in "*?" else "\\" + letter)
        at += 1
    return found


def _braces(pattern: str) -> list[str]:
    """Return the patterns that `{one,other}` stands for; braces within braces as well."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        each = waiting.pop()
        opened = re.search(r"\{([^{}]*,[^{}]*)\}", each)
        if opened is None:
            done.append(each)
        else:
            waiting += [each[: opened.start()] + one + each[opened.end() :] for one in opened[1].split(",")]
        if len(done) + len(waiting) > _BRACES_MAX:
            raise BadPatternError(f"the braces stand for more than {_BRACES_MAX} patterns")
    return done


def printable(path: str) -> str:
    """Return a path that can be sent: bytes that are no UTF-8 are replaced."""
    return path.encode(errors="surrogateescape").decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
