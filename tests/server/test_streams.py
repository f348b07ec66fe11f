"""The registry of live streams: its limits at n and n + 1, and its end."""

import pytest

from instar.base.errors import InstarError
from instar.server.streams import Streams


class Live:
    def __init__(self) -> None:
        self.ends: list[str] = []

    def stop(self) -> None:
        self.ends.append("stop")

    def abort(self) -> None:
        self.ends.append("abort")


def test_limits_are_exact_and_free_again() -> None:
    streams = Streams(limit=4, per_principal=2)
    first = Live()
    streams.enter(first, "a")
    streams.enter(Live(), "a")
    with pytest.raises(InstarError, match="credential") as caught:
        streams.enter(Live(), "a")
    assert caught.value.code == "too_many_streams"
    streams.leave(first)
    streams.leave(first)
    streams.enter(Live(), "a")
    streams.enter(Live(), "")
    streams.enter(Live(), "")
    with pytest.raises(InstarError, match="4 live streams"):
        streams.enter(Live(), "b")
    assert len(streams) == 4


def test_counts_of_principals_do_not_pile_up() -> None:
    streams = Streams()
    for number in range(100):
        live = Live()
        streams.enter(live, f"p{number}")
        streams.leave(live)
    assert not streams._counts


def test_a_stream_may_name_its_credential_later_and_once() -> None:
    streams = Streams(limit=4, per_principal=1)
    first, second = Live(), Live()
    streams.enter(first, "")
    streams.enter(second, "")
    streams.claim(first, "a")
    streams.claim(first, "b")
    streams.claim(Live(), "c")
    with pytest.raises(InstarError) as caught:
        streams.claim(second, "a")
    assert caught.value.code == "too_many_streams"
    streams.claim(second, "b")
    streams.leave(first)
    streams.leave(second)
    assert not streams._counts


def test_the_end() -> None:
    streams = Streams()
    live = Live()
    streams.enter(live, "a")
    streams.stop()
    streams.abort()
    assert live.ends == ["stop", "abort"]
    with pytest.raises(InstarError) as caught:
        streams.enter(Live(), "a")
    assert caught.value.code == "service_unavailable"


def test_limits_may_change_while_streams_are_open() -> None:
    streams = Streams(limit=4, per_principal=4)
    for _ in range(3):
        streams.enter(Live(), "a")
    streams.obey(3, 2)
    with pytest.raises(InstarError, match="its 3 live streams"):
        streams.enter(Live(), "b")
    streams.obey(9, 2)
    with pytest.raises(InstarError, match="credential has its 2"):
        streams.enter(Live(), "a")
    assert len(streams) == 3
