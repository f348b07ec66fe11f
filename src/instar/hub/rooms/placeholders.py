"""Numbered placeholders for lists of values."""


def numbered(count: int, first: int) -> str:
    """Return `count` placeholders from `?first` on, joined by commas."""
    return ", ".join(f"?{number}" for number in range(first, first + count))
