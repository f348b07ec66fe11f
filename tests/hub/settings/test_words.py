from instar.hub.settings.keys import KEYS
from instar.hub.settings.words import allowed, meanings


def test_every_key_says_what_it_takes_and_means() -> None:
    assert all(allowed(key) for key in KEYS)
    assert all(meanings()[key] for key in KEYS)
    assert meanings()["log.level"] == "The least severe lines that are written."
