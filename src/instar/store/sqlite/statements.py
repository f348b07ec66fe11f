"""Statements that write many rows at once.

APSW gives the interpreter lock away at each statement and must win it back from the event loop, so the number of
statements, not of rows, is what a busy loop slows down. There is one statement for each power of two.
"""

ROWS_PER_STATEMENT = (256, 128, 64, 32, 16, 8, 4, 2, 1)


def many(insert: str, columns: int, conflict: str) -> dict[int, str]:
    """Return, for each number of rows, `insert` with that many rows of `columns` placeholders, then `conflict`."""
    row = f"({', '.join('?' * columns)})"
    return {count: f"{insert} VALUES {', '.join([row] * count)} {conflict}" for count in ROWS_PER_STATEMENT}
