import pytest

from instar.cli.messages import event_line, lines, sender_of, text_of


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"parts": [{"kind": "text", "text": "a"}, {"kind": "text", "text": "b"}]}, "a\nb"),
        ({"parts": [{"kind": "file", "filename": "n.pdf", "blob": "sha256-0"}]}, "[file n.pdf]"),
        ({"parts": [{"kind": "url", "url": "https://x"}]}, "[url https://x]"),
        ({"parts": [{"kind": "data", "data": {}}]}, "[data]"),
        ({"parts": [{"kind": "text", "text": "\x1b]0;owned\x07"}]}, "�]0;owned�"),
        ({"parts": [], "redaction": {"by": "operator"}}, "[redacted by operator]"),
    ],
)
def test_text_of(message: dict, expected: str):
    assert text_of(message) == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ({"id": "guide", "name": "Guide"}, "guide"),
        ({"id": "usr_0123456789", "name": "Ada"}, "Ada (usr_012345)"),
        ({"id": "dev_0123456789", "name": "guide\x07"}, "guide� (dev_012345)"),
        ({"id": "usr_0123456789"}, "usr_0123456789"),
        ({"id": "sch_0123456789", "name": "pulse"}, "pulse (sch_012345)"),
    ],
)
def test_a_name_never_stands_alone(sender: dict, expected: str):
    assert sender_of({"from": sender}) == expected


def test_further_lines_are_indented():
    message = {"seq": 7, "created_at": "x", "from": {"id": "a"}, "parts": [{"kind": "text", "text": "one\ntwo"}]}
    assert list(lines([message])) == ["     7           x  a: one", "                    two"]


def test_events():
    message = {"from": {"id": "a"}, "parts": [{"kind": "text", "text": "hi"}]}
    assert event_line({"room_key": "room:general", "type": "message.created", "message": message}) == (
        "room:general  a: hi"
    )
    assert event_line({"room_key": "system:directory", "type": "agent.connected", "agent": {"agent_id": "b"}}) == (
        "system:directory  * agent.connected b"
    )
    assert event_line({"room_key": "room:r", "type": "loop.stopped", "loop": {"reason": "a chain of 4 answers"}}) == (
        "room:r  * loop.stopped: a chain of 4 answers"
    )
    assert event_line({"type": "stream.replay_gap"}) == "  * stream.replay_gap"
