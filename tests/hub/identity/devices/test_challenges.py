import pytest

from instar.base.errors import InstarError
from instar.hub.identity.devices import challenges as module
from instar.hub.identity.devices.challenges import Challenges
from instar.wire.limits import CHALLENGE_S

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_nonce_is_good_once_and_for_its_key() -> None:
    challenges = Challenges(lambda: 0.0)
    nonce = challenges.issue(KEY)
    assert len(nonce) == 32
    assert nonce != challenges.issue(KEY)
    challenges.take(nonce, KEY)
    with pytest.raises(InstarError, match="was used"):
        challenges.take(nonce, KEY)


def test_a_nonce_that_another_key_tries_is_used_up() -> None:
    challenges = Challenges(lambda: 0.0)
    nonce = challenges.issue(KEY)
    for key in (OTHER, KEY):
        with pytest.raises(InstarError) as caught:
            challenges.take(nonce, key)
        assert caught.value.detail == {"cause": "signature_invalid"}


def test_a_nonce_ends_with_its_time() -> None:
    at = [0.0]
    challenges = Challenges(lambda: at[0])
    early, late = challenges.issue(KEY), challenges.issue(KEY)
    at[0] = CHALLENGE_S - 0.1
    challenges.take(early, KEY)
    at[0] = CHALLENGE_S
    with pytest.raises(InstarError):
        challenges.take(late, KEY)


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHALLENGES_MAX", 2)
    challenges = Challenges(lambda: 0.0)
    first, second, third = (challenges.issue(KEY) for _ in range(3))
    with pytest.raises(InstarError):
        challenges.take(first, KEY)
    challenges.take(second, KEY)
    challenges.take(third, KEY)
