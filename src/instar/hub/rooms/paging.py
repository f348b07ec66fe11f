"""Pages of sorted lists, and the limits that a query may ask for (Moltnet http.v1 §2.3). IO-free."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from instar.base.errors import InstarError
from instar.wire.limits import PAGE_DEFAULT, PAGE_MAX
from instar.wire.messages import Page, PageQuery
from instar.wire.names import is_id

T = TypeVar("T")


def limit_of(query: PageQuery) -> int:
    """Return how many items a page holds: what is no positive number counts as 100, more than 500 as 500."""
    text = query.limit.strip()
    if not (text.isascii() and text.isdigit()):
        return PAGE_DEFAULT
    # 0 is not positive; the slice keeps a hostile row of digits from becoming a bignum.
    return min(int(text[:9]) or PAGE_DEFAULT, PAGE_MAX)


def check_cursors(query: PageQuery) -> None:
    """Check the form of `before` and `after`.

    Raises:
        InstarError: `unprocessable_entity` when both are given or one is malformed.
    """
    if query.before and query.after:
        raise InstarError("unprocessable_entity", "`before` and `after` exclude each other", hint="Send one of them.")
    for name, cursor in (("before", query.before), ("after", query.after)):
        if cursor and not is_id(cursor):
            raise InstarError("unprocessable_entity", f"cursor {name}={cursor!r} is malformed")


def page_of(items: Sequence[T], query: PageQuery, id_of: Callable[[T], str]) -> tuple[Sequence[T], Page]:
    """Cut one page out of `items`, which are sorted by `id_of`.

    No cursor gives the first items. `has_more` says whether any item lies outside, on either side.

    Raises:
        InstarError: `unprocessable_entity` for two cursors, a malformed one, or one that is no item's id.
    """
    check_cursors(query)
    limit = limit_of(query)
    if query.before:
        end = _position(items, query.before, id_of)
        start = max(0, end - limit)
    elif query.after:
        start = _position(items, query.after, id_of) + 1
        end = min(len(items), start + limit)
    else:
        start, end = 0, min(len(items), limit)
    window = items[start:end]
    older, newer = start > 0, end < len(items)
    return window, Page(
        older or newer,
        id_of(window[0]) if older and window else "",
        id_of(window[-1]) if newer and window else "",
    )


def _position(items: Sequence[T], cursor: str, id_of: Callable[[T], str]) -> int:
    at = bisect_left(items, cursor, key=id_of)
    if at == bisect_right(items, cursor, key=id_of):
        raise unknown_cursor(cursor)
    return at


def unknown_cursor(cursor: str) -> InstarError:
    """Return the error for a cursor that is no item of the list asked for."""
    return InstarError(
        "unprocessable_entity",
        f"cursor {cursor!r} is no item of this list",
        hint="Take `next_before` or `next_after` of an earlier page of the same list.",
    )
