import pytest

from instar.base.errors import InstarError
from instar.hub.rooms.paging import limit_of, page_of
from instar.wire.messages import Page, PageQuery

ITEMS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", 100),
        ("0", 100),
        ("-1", 100),
        ("x", 100),
        ("1", 1),
        (" 7 ", 7),
        ("500", 500),
        ("501", 500),
        ("9" * 500, 500),
        ("٣", 100),
        ("1.5", 100),
    ],
)
def test_limit(text: str, limit: int) -> None:
    assert limit_of(PageQuery(limit=text)) == limit


@pytest.mark.parametrize(
    ("query", "window", "page"),
    [
        (PageQuery(), "abcde", Page(False)),
        (PageQuery("2"), "ab", Page(True, "", "b")),
        (PageQuery("2", after="b"), "cd", Page(True, "c", "d")),
        (PageQuery("2", after="c"), "de", Page(True, "d", "")),
        (PageQuery("2", after="e"), "", Page(True)),
        (PageQuery("2", before="c"), "ab", Page(True, "", "b")),
        (PageQuery("2", before="e"), "cd", Page(True, "c", "d")),
        (PageQuery("9", before="c"), "ab", Page(True, "", "b")),
        (PageQuery("2", before="a"), "", Page(True)),
    ],
)
def test_pages(query: PageQuery, window: str, page: Page) -> None:
    assert page_of(ITEMS, query, str) == (list(window), page)


def test_an_empty_list_has_an_empty_page() -> None:
    assert page_of([], PageQuery(), str) == ([], Page(False))


@pytest.mark.parametrize("query", [PageQuery(before="a", after="b"), PageQuery(before="!"), PageQuery(after="zz")])
def test_bad_cursors(query: PageQuery) -> None:
    with pytest.raises(InstarError) as caught:
        page_of(ITEMS, query, str)
    assert caught.value.code == "unprocessable_entity"
