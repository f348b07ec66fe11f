"""Which rows of presence are merged, forgotten, and give way."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.hub.presence.rows import Rows, is_loopback, key_of
from instar.wire.limits import PRESENCE_MAX, PRESENCE_S
from instar.wire.presence import PresenceEntry

OWN = PresenceEntry("hub", "", reason="self")


def entry(key: str, **more: object) -> PresenceEntry:
    return PresenceEntry(key, "now", **more)  # type: ignore[arg-type]


def keys(rows: Rows) -> list[str]:
    return [row.key for row in rows]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (entry("C1"), ("connection", "c1")),
        (entry("c1", instance_id="I1", principal="ada"), ("instance ada", "i1")),
        (entry("c1", instance_id="i1", device_id="D1"), ("device", "d1")),
    ],
)
def test_a_device_counts_before_an_instance_before_a_connection(said: PresenceEntry, kind: tuple[str, str]) -> None:
    assert key_of(said) == kind


def test_case_does_not_matter() -> None:
    assert key_of(entry("x", device_id="AB")) == key_of(entry("y", device_id="ab"))


def test_an_instance_of_another_principal_is_another_one() -> None:
    mine, theirs = entry("c1", instance_id="i", principal="ada"), entry("c2", instance_id="i", principal="eve")
    assert key_of(mine) != key_of(theirs)


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("", True),
        ("192.0.2.7", False),
        ("fe80::1%eth0", False),
    ],
)
def test_what_says_nothing_of_where_somebody_is(address: str, is_local: bool) -> None:
    assert is_loopback(address) is is_local


def test_a_loopback_address_never_replaces_a_reported_one() -> None:
    rows = Rows(OWN)
    key = ("device", "d")
    rows.put(key, entry("d", address="192.0.2.7"), more=1, at=0)
    assert rows.put(key, entry("d", address="127.0.0.1"), at=0).entry.address == "192.0.2.7"
    assert rows.put(key, entry("d"), at=0).entry.address == "192.0.2.7"
    assert rows.put(key, entry("d", address="192.0.2.8"), at=0).entry.address == "192.0.2.8"


def test_what_has_no_connection_is_forgotten_in_time() -> None:
    rows = Rows(OWN)
    rows.put(("connection", "a"), entry("a"), more=1, at=0)
    rows.put(("note", "b"), entry("b"), at=10)
    assert rows.next_forgotten_at() == 10 + PRESENCE_S
    assert not rows.forget(9 + PRESENCE_S)
    assert rows.forget(10 + PRESENCE_S)
    assert keys(rows) == ["hub", "a"]
    assert rows.next_forgotten_at() == inf
    rows.put(("connection", "a"), entry("a"), more=-1, at=20)
    assert rows.forget(20 + PRESENCE_S)
    assert keys(rows) == ["hub"]


def test_what_was_heard_of_last_comes_last() -> None:
    rows = Rows(OWN)
    for name in "abca":
        rows.put(("connection", name), entry(name), more=1, at=0)
    assert keys(rows) == ["hub", "b", "c", "a"]


def test_the_oldest_gives_way_and_who_is_gone_before_who_is_here() -> None:
    rows = Rows(OWN)
    for number in range(PRESENCE_MAX - 1):
        rows.put(("connection", str(number)), entry(str(number)), more=number != 5, at=0)
    rows.put(("connection", "new"), entry("new"), more=1, at=0)
    assert rows.get(("connection", "5")) is None
    rows.put(("connection", "newer"), entry("newer"), more=1, at=0)
    assert rows.get(("connection", "0")) is None
    assert rows.get(("connection", "newer")) is not None


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from([-1, 0, 1]))))
def test_there_are_never_more_than_allowed(steps: list[tuple[int, int]]) -> None:
    rows = Rows(OWN)
    for number, more in steps:
        rows.put(("connection", str(number)), entry(str(number)), more=more, at=0)
        assert len(keys(rows)) <= PRESENCE_MAX
        assert keys(rows)[0] == "hub"
        assert keys(rows)[-1] == str(number)
