"""`instar calls list` goes on where a page says so."""

from typing import Any, cast

import pytest

from instar.cli.commands import calls
from instar.cli.session import Session


class Pages:
    """Answers with these pages, one after the other."""

    def __init__(self, *pages: tuple[int, str]) -> None:
        self.pages = list(pages)
        self.asked: list[tuple[int, str | None]] = []

    def invoke(self, name: str, *, limit: int, before: str | None, **more: Any) -> dict[str, Any]:
        assert (name, more) == ("calls.list", {"room": "room:den"})
        self.asked.append((limit, before))
        count, next_before = self.pages.pop(0)
        return {"calls": [{"id": "c"}] * count, "has_more": bool(next_before), "next_before": next_before}


@pytest.mark.parametrize(
    ("pages", "asked", "count", "has_more"),
    [
        ([(0, "")], [(5, None)], 0, False),
        ([(5, "c")], [(5, None)], 5, True),
        ([(0, "at:9"), (2, "at:5"), (1, "")], [(5, None), (5, "at:9"), (3, "at:5")], 3, False),
        ([(2, "at:9"), (3, "c")], [(5, None), (3, "at:9")], 5, True),
    ],
)
def test_a_list_is_read_to_its_end_or_limit(
    pages: list[tuple[int, str]], asked: list[tuple[int, str | None]], count: int, has_more: bool
) -> None:
    session = Pages(*pages)
    found = calls.listed(cast("Session", session), 5, room="room:den")
    assert (session.asked, len(found["calls"]), found["has_more"]) == (asked, count, has_more)
