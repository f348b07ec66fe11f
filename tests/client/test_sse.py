import pytest

from instar.client.sse import Parser, ServerSent


def read(text: str) -> list[ServerSent]:
    parser = Parser()
    return [event for line in text.split("\n") if (event := parser.feed(line))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: a\n\n", [("", "message", "a")]),
        ("id: 7\nevent: e\ndata: a\ndata: b\n\n", [("7", "e", "a\nb")]),
        (": keep-alive\n\ndata:x\n\n", [("", "message", "x")]),
        ("id: 7\n\ndata: a\n\ndata: b\n\n", [("7", "message", "a"), ("7", "message", "b")]),
        ("data: half", []),
        ("data\n\n", [("", "message", "")]),
        ("id: bad\0id\ndata: a\n\n", [("", "message", "a")]),
    ],
)
def test_events(text: str, expected: list[tuple[str, str, str]]):
    assert read(text) == expected


def test_retry():
    parser = Parser()
    parser.feed("retry: 250")
    parser.feed("retry: soon")
    assert parser.retry_ms == 250
