import pytest

from instar.base.errors import InstarError
from instar.hub.identity import lockout
from instar.hub.identity.lockout import Lockout
from instar.wire.limits import AUTH_FAILURES_MAX, AUTH_FAILURES_WINDOW_S, AUTH_LOCK_S


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def fail(lock: Lockout, peer: str, times: int) -> None:
    for _ in range(times):
        lock.failed(peer)


def test_ten_failures_within_the_window_lock_for_five_minutes() -> None:
    clock = Clock()
    lock = Lockout(clock)
    fail(lock, "198.51.100.7", AUTH_FAILURES_MAX - 1)
    assert lock.wait_s("198.51.100.7") == 0.0
    lock.failed("198.51.100.7")
    assert lock.wait_s("198.51.100.7") == AUTH_LOCK_S
    assert lock.wait_s("198.51.100.8") == 0.0
    clock.at += AUTH_LOCK_S - 1
    assert lock.wait_s("198.51.100.7") == 1.0
    clock.at += 1
    assert lock.wait_s("198.51.100.7") == 0.0
    assert lock.wait_s("198.51.100.7") == 0.0


def test_old_failures_are_forgotten() -> None:
    clock = Clock()
    lock = Lockout(clock)
    fail(lock, "198.51.100.7", AUTH_FAILURES_MAX - 1)
    clock.at += AUTH_FAILURES_WINDOW_S
    fail(lock, "198.51.100.7", AUTH_FAILURES_MAX - 1)
    assert lock.wait_s("198.51.100.7") == 0.0


@pytest.mark.parametrize(
    ("failing", "asked", "is_locked"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("not an address", "not an address", True),
    ],
)
def test_what_counts_as_one_address(failing: str, asked: str, is_locked: bool) -> None:
    lock = Lockout(Clock())
    fail(lock, failing, AUTH_FAILURES_MAX)
    assert bool(lock.wait_s(asked)) is is_locked


def test_the_number_of_remembered_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "AUTH_PEERS_MAX", 3)
    lock = Lockout(Clock())
    for number in range(9):
        lock.failed(f"198.51.100.{number}")
    assert len(lock._failures) == 3


def test_who_is_locked_is_told_once_and_refused() -> None:
    clock = Clock()
    lock = Lockout(clock)
    told: list[str] = []
    lock.on_locked = told.append
    lock.refuse("2001:db8::1")
    fail(lock, "2001:db8::1", AUTH_FAILURES_MAX)
    with pytest.raises(InstarError) as caught:
        lock.refuse("2001:db8::2")
    assert (caught.value.code, caught.value.retry_after_s) == ("rate_limited", AUTH_LOCK_S)
    assert told == ["2001:db8::/64"]
    clock.at += AUTH_LOCK_S
    lock.refuse("2001:db8::2")
    fail(lock, "2001:db8::1", AUTH_FAILURES_MAX)
    assert told == ["2001:db8::/64"] * 2
