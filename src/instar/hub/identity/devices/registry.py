"""The devices that were let in: a projection of `device.*` events, by id, by alias and by grant."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from instar.hub.identity.keyring import Keyring
from instar.hub.identity.principals import Grant
from instar.wire.devices import Device, Role
from instar.wire.events import Event


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device as `Authority` sees it (`DeviceFacts`)."""

    device: Device
    held: tuple[Grant, ...]
    """Its grants that hold."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.device.id

    @property
    def principal(self) -> str:
        """Id of its principal."""
        return self.device.principal


class Registry:
    """Changed only on the event loop, by appliers and at load.

    Args:
        keyring: The grants that hold: one that ended is no longer its device's.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._devices: dict[str, Device] = {}
        self._aliases: dict[str, str] = {}
        self._grants: dict[str, tuple[str, Role]] = {}

    def load(self, devices: Iterable[Device]) -> None:
        """Take the devices that the tables hold at start."""
        for device in devices:
            self._put(device)

    def changed(self, event: Event) -> None:
        """Apply `device.changed`."""
        device = msgspec.json.decode(event.payload, type=Device)
        self._drop(device.id)
        self._put(device)

    def removed(self, event: Event) -> None:
        """Apply `device.removed`."""
        self._drop(msgspec.json.decode(event.payload, type=Device).id)

    def get(self, device_id: str) -> Device | None:
        """Return a device by its id."""
        return self._devices.get(device_id)

    def ids(self) -> list[str]:
        """Return the ids of all devices, revoked ones included."""
        return list(self._devices)

    def named(self, alias: str) -> Device | None:
        """Return the device that is pinned to this alias; one that was revoked holds it no more."""
        return self._devices.get(self._aliases.get(alias, ""))

    def find(self, text: str) -> KnownDevice | None:
        """Return a device by its id or alias."""
        device = self._devices.get(text) or self.named(text)
        if device is None:
            return None
        held = (self._keyring.get(each.key_id) for each in device.grants)
        return KnownDevice(device, tuple(grant for grant in held if grant is not None))

    def grant(self, device: Device, role: Role) -> Grant | None:
        """Return the grant of a device in a role, if it holds."""
        return next((self._keyring.get(each.key_id) for each in device.grants if each.role is role), None)

    def holder(self, grant_id: str) -> tuple[Device, Role] | None:
        """Return whose grant this is, and in which role; None when it is no device's."""
        device_id, role = self._grants.get(grant_id, ("", Role.OPERATOR))
        device = self._devices.get(device_id)
        return None if device is None else (device, role)

    def view(self, device: Device) -> Device:
        """Return the device with the grants alone that hold."""
        held = [each for each in device.grants if self._keyring.get(each.key_id) is not None]
        return device if len(held) == len(device.grants) else replace(device, grants=held)

    def _put(self, device: Device) -> None:
        self._devices[device.id] = device
        if device.alias and not device.revoked_at:
            self._aliases[device.alias] = device.id
        for each in device.grants:
            self._grants[each.key_id] = (device.id, each.role)

    def _drop(self, device_id: str) -> None:
        device = self._devices.pop(device_id, None)
        if device is None:
            return
        if self._aliases.get(device.alias) == device_id:
            del self._aliases[device.alias]
        for each in device.grants:
            self._grants.pop(each.key_id, None)
