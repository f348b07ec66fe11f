from pathlib import Path

from instar.hub.settings.live import Live
from instar.hub.settings.load import load
from instar.hub.settings.tree import Settings


def test_live_settings_hold_at_once_and_others_stay(tmp_path: Path) -> None:
    env = {"INSTAR_DATA_DIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    live = Live(load({}, env))
    seen: list[Settings] = []
    live.observe(seen.append)
    assert len(seen) == 1
    live.take(load({"log.level": "debug", "network.name": "New", "auth.mode": "open"}, env))
    assert len(seen) == 2
    assert seen[-1] == live.present.settings
    present = live.present
    assert (present.value("log.level"), present.origins["log.level"]) == ("debug", "flag")
    assert (present.value("network.name"), present.origins["network.name"]) == ("Instar", "default")
    assert present.value("auth.mode") == "bearer"
    live.take(load({"log.level": "debug", "network.name": "Newer"}, env))
    assert len(seen) == 2
