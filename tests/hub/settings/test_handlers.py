import msgspec

from instar.hub.act import Act
from instar.hub.settings.handlers import bindings
from instar.hub.settings.keys import KEYS
from instar.hub.settings.load import load
from instar.wire.hub import SETTINGS
from instar.wire.operation import Nothing


async def test_every_setting_is_shown_with_its_origin() -> None:
    (binding,) = bindings(load({"log.level": "debug"}, {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/nowhere"}))
    assert binding.operation is SETTINGS
    act = Act(None, SETTINGS, Nothing(), None, None, None)  # type: ignore[arg-type]
    shown = msgspec.to_builtins(await binding.handler(act))["settings"]
    assert [one["key"] for one in shown] == list(KEYS)
    assert {"key": "log.level", "value": "debug", "origin": "flag"} in shown
    assert {"key": "auth.mode", "value": "bearer", "origin": "default"} in shown
