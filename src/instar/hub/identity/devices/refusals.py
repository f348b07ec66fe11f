"""Why a device is not let in: the one place that makes these errors, so that every door says the same."""

from instar.base.errors import InstarError
from instar.wire.devices import Device, PairingReason
from instar.wire.signatures import device_id, fingerprint

_LACKING = {
    PairingReason.NOT_PAIRED: "the device was never let in",
    PairingReason.ROLE: "the device was not let in in this role",
    PairingReason.SCOPES: "the device asks for more than it was let in for",
    PairingReason.FACTS: "the device says that it is another machine than the one that was let in",
}


def not_paired(reason: PairingReason, key: bytes, device: Device | None) -> InstarError:
    """Return the refusal of a device that has to ask first; its detail says what it has."""
    grants = device.grants if device else []
    return InstarError(
        "not_paired",
        _LACKING[reason],
        detail={
            "cause": reason.value,
            "device_id": device_id(key),
            "fingerprint": fingerprint(key),
            "approved_roles": [grant.role.value for grant in grants],
            "approved_scopes": sorted({scope.value for grant in grants for scope in grant.scopes}),
        },
    )


def device_required() -> InstarError:
    """Return the refusal of who brings no key where one is needed."""
    return InstarError(
        "not_paired",
        "the connection proves no device of its own",
        hint="Connect with a client that has a device key, or from the hub's own machine.",
        detail={"cause": "device_required"},
    )


def pairing_closed(key: bytes) -> InstarError:
    """Return the refusal of an unknown device while the window is closed."""
    return InstarError(
        "not_paired",
        "the device is unknown, and pairing is closed",
        hint="Run `instar pairing enable` on the hub's machine, then connect again.",
        detail={"cause": "pairing_closed", "device_id": device_id(key), "fingerprint": fingerprint(key)},
    )


def revoked(device: Device) -> InstarError:
    """Return the refusal of a key that was revoked."""
    return InstarError(
        "device_revoked",
        "the device's key was revoked",
        hint=f"On the hub run `instar devices remove {device.id}`, then pair it again; or give the device a new key"
        " (a node: `instar node rekey`).",
        detail={"cause": "revoked", "device_id": device.id},
    )


def key_mismatch(pinned: Device, key: bytes) -> InstarError:
    """Return the refusal of another key under a pinned name."""
    presented = fingerprint(key)
    return InstarError(
        "key_mismatch",
        f"key mismatch: expected {pinned.fingerprint}, got {presented}",
        hint=f"If the key was changed on purpose, run `instar devices revoke {pinned.id}`, then pair the new one.",
        detail={
            "cause": "key_mismatch",
            "device_id": pinned.id,
            "expected_fingerprint": pinned.fingerprint,
            "presented_fingerprint": presented,
        },
    )
