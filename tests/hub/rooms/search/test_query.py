import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.hub.rooms.search.query import to_fts5


@pytest.mark.parametrize(
    ("typed", "expression"),
    [
        ("hello", '"hello"'),
        ("hello world", '"hello" AND "world"'),
        ('"hello world" x', '"hello world" AND "x"'),
        ("hel*", '"hel*" *'),
        ('"hello wor"*', '"hello wor" *'),
        ("a OR b", '"a" AND "OR" AND "b"'),
        ('say "unfinished', '"say" AND "unfinished"'),
        ("body:x NEAR(y)", '"body:x" AND "NEAR(y)"'),
        ("- hello", '"hello"'),
    ],
)
def test_queries(typed: str, expression: str) -> None:
    assert to_fts5(typed) == expression


@pytest.mark.parametrize("typed", ["", " ", '"', "*", "-- !", '""'])
def test_a_query_without_a_word(typed: str) -> None:
    with pytest.raises(InstarError) as caught:
        to_fts5(typed)
    assert caught.value.code == "unprocessable_entity"


@given(st.text(alphabet=st.sampled_from('ab"*()-:^+{} \0ä_.ORNEAR'), max_size=40) | st.text(max_size=40))
def test_no_query_is_a_syntax_error(typed: str) -> None:
    try:
        expression = to_fts5(typed)
    except InstarError:
        return
    db = apsw.Connection(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    assert db.execute("SELECT * FROM words WHERE words MATCH ?", (expression,)).fetchall() == []
    db.close()
