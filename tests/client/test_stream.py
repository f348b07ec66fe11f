from itertools import islice

import pytest

from instar.client.errors import HubError, UnreachableError
from instar.client.http import Client
from instar.client.stream import export, follow, lines

from .conftest import Recorder


def frame(seq: int) -> bytes:
    return b'id: evt_%d\nevent: message.created\ndata: {"seq":%d}\n\n' % (seq, seq)


def test_follow_resumes_after_the_last_event(server: Recorder):
    server.then(body=b": stream-open\n\n" + frame(1) + b'id: evt_2\ndata: {"seq"')
    server.then(503, {"code": "service_unavailable", "error": "starting"})
    server.then(body=frame(2) + frame(3))
    breaks: list[HubError] = []
    waited: list[float] = []
    events = follow(Client(server.url), cursor="evt_0", on_break=breaks.append, sleep=waited.append)
    assert [event["seq"] for event in islice(events, 3)] == [1, 2, 3]
    assert [asked[2]["last-event-id"] for asked in server.asked] == ["evt_0", "evt_1", "evt_1"]
    assert [error.code for error in breaks] == ["unreachable", "service_unavailable"]
    assert len(waited) == 2


def test_follow_without_a_cursor_begins_now(server: Recorder):
    server.then(body=frame(5))
    assert next(follow(Client(server.url))) == {"seq": 5}
    assert "last-event-id" not in server.asked[0][2]


def test_follow_ends_when_no_retry_helps(server: Recorder):
    server.then(body=frame(1))
    server.then(401, {"code": "unauthorized", "error": "revoked"})
    events = follow(Client(server.url), sleep=lambda _: None)
    next(events)
    with pytest.raises(HubError, match="revoked"):
        next(events)


def test_follow_ends_with_what_the_hub_says_at_its_end(server: Recorder):
    server.then(body=frame(1) + b'event: error\ndata: {"code":"unauthorized","error":"the grant was revoked"}\n\n')
    events = follow(Client(server.url), sleep=lambda _: pytest.fail("no retry expected"))
    assert next(events) == {"seq": 1}
    with pytest.raises(HubError, match="the grant was revoked") as refused:
        next(events)
    assert refused.value.code == "unauthorized"


def test_follow_goes_on_when_the_hub_says_that_it_may(server: Recorder):
    server.then(body=frame(1) + b'event: error\ndata: {"code":"service_unavailable","error":"stopping"}\n\n')
    server.then(body=frame(2))
    events = follow(Client(server.url), sleep=lambda _: None)
    assert [event["seq"] for event in islice(events, 2)] == [1, 2]


def test_follow_fails_at_once_when_there_is_no_hub():
    with pytest.raises(UnreachableError):
        next(follow(Client("http://127.0.0.1:1"), sleep=lambda _: pytest.fail("no retry expected")))


def test_lines(server: Recorder):
    server.then(body=b'{"a":1}\n\n{"a":2}\n')
    assert list(lines(Client(server.url).open("GET", "/v1/export"))) == [{"a": 1}, {"a": 2}]


def test_a_broken_line(server: Recorder):
    server.then(body=b'{"a":1}\n{"a"')
    with pytest.raises(UnreachableError, match="inside a line"):
        list(lines(Client(server.url).open("GET", "/v1/export")))


END = b'{"events":1,"last_seq":1,"chain":"00"}\n'


def test_export(server: Recorder):
    server.then(body=b'{"type":"room.created","seq":1}\n' + END)
    assert [line.get("seq") for line in export(Client(server.url), room_id="general")] == [1, None]
    assert server.asked[0][1] == "/v1/export?room_id=general"


@pytest.mark.parametrize("body", [b'{"type":"room.created","seq":1}\n', END, b""])
def test_an_export_that_is_not_whole(server: Recorder, body: bytes):
    server.then(body=body)
    with pytest.raises(UnreachableError):
        list(export(Client(server.url), room_id="general"))
