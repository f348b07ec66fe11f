import pytest

from instar.cli.targets import Place, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("general", Place("room", "general")),
        ("room:general", Place("room", "general")),
        ("thread:t1@general", Place("thread", "t1", "general")),
        ("thread:t1", Place("thread", "t1")),
        ("dm:d1", Place("dm", "d1")),
        ("dm:a:b", Place("dm", "a:b")),
        ("session:agent:guide:main", Place("session", "agent:guide:main")),
        ("@guide", Place("agent", "guide")),
        ("", None),
        ("@", None),
        ("room:", None),
        ("thread:@general", None),
        ("system:keys", None),
    ],
)
def test_parse(text: str, expected: Place | None):
    assert parse(text) == expected


def test_the_key_is_that_of_events():
    assert Place("thread", "t1", "general").key == "thread:t1"
