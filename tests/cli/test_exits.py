import pytest

from instar.cli.exits import exit_code
from instar.wire.codes import CODES


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("usage", 2), ("unprocessable_entity", 2), ("not_found", 3), ("forbidden", 4), ("unauthorized", 4),
        ("storage_locked", 5), ("unreachable", 6), ("timeout", 7), ("interrupted", 130), ("internal_error", 1),
        ("a code of tomorrow", 1),
    ],
)  # fmt: skip
def test_exit_codes(code: str, expected: int):
    assert exit_code(code) == expected


def test_no_error_exits_with_zero_or_eight():
    assert not {exit_code(code) for code in CODES} & {0, 8}
