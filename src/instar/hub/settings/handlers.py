"""Handler of `hub.settings`."""

from instar.hub.act import Act, Bindings, bind
from instar.wire.hub import SETTINGS, SettingList, SettingValue
from instar.wire.operation import Nothing

from .keys import KEYS
from .load import Loaded


def setting_list(loaded: Loaded) -> SettingList:
    """Return every setting with its value and origin, in the order of the tree. No setting is a secret."""
    return SettingList([SettingValue(key, loaded.value(key), loaded.origins[key]) for key in KEYS])


def bindings(loaded: Loaded) -> Bindings:
    """Return `hub.settings` with its handler."""

    async def show(act: Act[Nothing, None]) -> SettingList:  # noqa: ARG001 - the shape of Handler
        return setting_list(loaded)

    return (bind(SETTINGS, show),)
