"""What is said of devices in `system:devices`: each event carries all that the projections need."""

from typing import Literal

import msgspec

from instar.base.clock import Micros
from instar.base.ids import new_id
from instar.store.seam import Draft, Transaction
from instar.wire.devices import Device, KeyMismatch, PairingRequest
from instar.wire.events import DEVICES

DeviceEvent = Literal[
    "device.requested", "device.resolved", "device.changed", "device.removed", "device.key_mismatch"
]  # fmt: skip
Payload = PairingRequest | Device | KeyMismatch


def draft(kind: DeviceEvent, payload: Payload, at: Micros, actor: str = "") -> Draft:
    """Return the event that is to be."""
    return Draft(DEVICES, new_id("evt"), kind, msgspec.json.encode(payload), at, actor)


async def say(tx: Transaction, kind: DeviceEvent, payload: Payload, at: Micros, actor: str = "") -> None:
    """Append an event in the transaction of what it tells of."""
    await tx.append(draft(kind, payload, at, actor))
