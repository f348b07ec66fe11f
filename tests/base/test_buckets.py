"""Token buckets with a clock of our own."""

from instar.base import buckets
from instar.base.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_full_bucket_gives_its_burst_then_its_rate() -> None:
    clock = Clock()
    bucket = Buckets(2.0, 3.0, clock)
    assert [bucket.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take("a") == 0.5
    clock.at += 0.5
    assert bucket.take("a") == 0.0
    assert bucket.take("b") == 0.0


def test_a_refusal_takes_nothing() -> None:
    clock = Clock()
    bucket = Buckets(1.0, 1.0, clock)
    bucket.take("a")
    assert bucket.take("a") == bucket.take("a") == 1.0


def test_rate_zero_is_no_limit() -> None:
    bucket = Buckets(0.0, 1.0)
    assert not any(bucket.take("a") for _ in range(1_000))


def test_the_least_recently_used_key_is_forgotten(monkeypatch: object) -> None:
    clock = Clock()
    bucket = Buckets(1.0, 1.0, clock)
    for number in range(buckets.MAX_KEYS + 1):
        bucket.take(number)
    assert bucket.take(0) == 0.0
    assert bucket.take(buckets.MAX_KEYS) == 1.0


def test_a_limit_that_changes_holds_for_buckets_in_use() -> None:
    clock = Clock()
    bucket = Buckets(0.0, 0.0, clock)
    assert [bucket.take("a") for _ in range(9)] == [0.0] * 9
    bucket.limit(1.0, 2.0)
    assert [bucket.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    bucket.limit(4.0, 4.0)
    assert bucket.take("a") == 0.25
    bucket.limit(0.0, 0.0)
    assert bucket.take("a") == 0.0
