"""Plain text for people: columns, relative times, suggestions. Nothing here trusts what others wrote."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import cast

SUGGEST_DISTANCE = 2
"""How many letters may differ for a suggestion."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def visible(text: str) -> str:
    """Return `text` without control characters: what others wrote must not steer the terminal."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> Iterator[str]:
    """Yield aligned columns under their heads; when there are no rows, `empty` alone."""
    cells = [[" ".join(visible(str(cell)).split()) for cell in row] for row in rows]
    if not cells:
        if empty:
            yield empty
        return
    widths = [max(len(row[column]) for row in (list(heads), *cells)) for column in range(len(heads))]
    for row in (heads, *cells):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def relative(timestamp: str, now: datetime | None = None) -> str:
    """Return how long ago (or in how long) an RFC 3339 timestamp is; what is none comes back as it is."""
    try:
        seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(timestamp)).total_seconds())
    except (ValueError, TypeError):
        return visible(timestamp)
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (1, "s"))
    if seconds >= 0:
        return f"{seconds // size} {unit} ago"
    # What is to come is rounded: ten minutes that began just now are ten, not nine.
    return f"in {(size // 2 - seconds) // size} {unit}"


def plain(value: object) -> str:
    """Return a JSON value as people read it: lists by commas, truth as true and false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value))) or "-"
    return visible(str(value))


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def distance(left: str, right: str) -> int:
    """Return how many letters to put, take, change or swap with their neighbour turn one into the other."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return the known words within `SUGGEST_DISTANCE` of `word`, nearest first, three at most."""
    found = sorted((distance(word.lower(), name.lower()), name) for name in known)
    return [name for far, name in found if far <= min(SUGGEST_DISTANCE, len(word) - 1)][:3]
