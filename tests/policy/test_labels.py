import pytest

from instar.base.errors import InstarError
from instar.policy.labels import parse_selector

LABELS = {"os": "linux", "gpu": "yes", "arch": "arm64"}


@pytest.mark.parametrize(("text", "fits"), [
    ("os=linux", True), ("os==linux", True), ("os!=linux", False), ("zone!=a", True), ("gpu", True),
    ("!gpu", False), ("!zone", True),
    ("arch in (arm64, x86_64)", True), ("arch notin (x86_64)", True), ("arch in (x86_64)", False),
    ("os=linux,gpu=yes", True), ("os=linux, gpu=no", False), (" os = linux ", True),
])  # fmt: skip
def test_what_an_expression_means(text: str, fits: bool) -> None:
    assert parse_selector(text).matches(LABELS) is fits


@pytest.mark.parametrize(
    "text",
    ["", ",", "os=linux,", "a b", "=x", "os in ()x", "os in (a", "os=li nux", "!", "a=b;c", "-x", "os=linux,,gpu"],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InstarError) as caught:
        parse_selector(text)
    assert caught.value.code == "unprocessable_entity"
