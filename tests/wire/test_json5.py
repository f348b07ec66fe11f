import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.wire.json5 import Json5Error, parse_json5

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_every_json_text_means_the_same(value: object) -> None:
    assert parse_json5(json.dumps(value)) == value
    assert parse_json5(json.dumps(value, ensure_ascii=False, indent=2)) == value


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    with contextlib.suppress(Json5Error):
        json.dumps(parse_json5(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("// a comment\n{a: 1,}", {"a": 1}),
        ("/* one */ [1, /* two */ 2,]", [1, 2]),
        ("{'single': 'it\"s', $dollar_1: \"it's\"}", {"single": 'it"s', "$dollar_1": "it's"}),
        ("[+1, -2, .5, 5., 1e3, 0x1F, -0x10]", [1, -2, 0.5, 5.0, 1000.0, 31, -16]),
        ("'line \\\ncontinued'", "line continued"),
        (r"'\x41\u00e9\ud83d\ude00\n\q'", "Aé😀\nq"),
        ("\ufeff {true: true, ünïcode: null}", {"true": True, "ünïcode": None}),
    ],
)
def test_what_json5_adds(text: str, value: object) -> None:
    assert parse_json5(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[1 2]", "{a 1}", "{a: }", "'open", '"a\nb"', "tru", "{}{}", "[,]", "Infinity", "-NaN",
        r"'\u12'", r"'\ud800'", "/* open", "{1: 2}", "--1", "[" * 70 + "]" * 70,
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(Json5Error, match="line"):
        parse_json5(text)


def test_numbers_of_any_length_are_read_without_becoming_slow() -> None:
    assert math.isinf(parse_json5("9" * 400))
