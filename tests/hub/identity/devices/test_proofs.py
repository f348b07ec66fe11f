"""Forgery, replay and relay of signatures as a dialect's door hands them over."""

import gc
from dataclasses import replace
from weakref import ref

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.credentials import Signed
from instar.hub.identity.devices import proofs as module
from instar.hub.identity.devices.proofs import Proofs
from instar.wire.limits import SIGNATURE_SKEW_V3_S

from .conftest import Device


def cause(proofs: Proofs, signed: Signed) -> str:
    with pytest.raises(InstarError) as caught:
        proofs.verify(signed)
    assert caught.value.code == "unauthorized"
    return caught.value.detail["cause"]


def test_any_one_payload_may_be_the_signed_one(device: Device) -> None:
    signed = device.signed(b"v3|x")
    assert Proofs().verify(signed) == device.id
    assert Proofs().verify(replace(signed, messages=(*signed.messages, b"v1|x"))) == device.id


@pytest.mark.parametrize("position", [0, 31, 32, 63])
def test_a_forged_signature(device: Device, position: int) -> None:
    signed = device.signed()
    forged = bytearray(signed.signature)
    forged[position] ^= 1
    assert cause(Proofs(), replace(signed, signature=bytes(forged))) == "signature_invalid"


def test_a_signature_of_another_key_or_payload(device: Device, other: Device) -> None:
    signed = device.signed(b"nonce-of-this-connection")
    assert cause(Proofs(), replace(signed, public_key=other.key)) == "signature_invalid"
    assert cause(Proofs(), replace(signed, messages=(b"nonce-of-another",))) == "signature_invalid"
    assert cause(Proofs(), replace(signed, messages=())) == "signature_invalid"
    assert cause(Proofs(), replace(signed, signature=b"")) == "signature_invalid"


@pytest.mark.parametrize("key", [b"", b"\x01" * 31, bytes(32), b"\x01" + bytes(31), b"\xff" * 33])
def test_what_is_no_key(device: Device, key: bytes) -> None:
    assert cause(Proofs(), replace(device.signed(), public_key=key)) == "public_key_invalid"


def test_a_signature_is_taken_from_one_connection_alone(device: Device) -> None:
    at = [0.0]
    proofs = Proofs(lambda: at[0])
    signed = device.signed(b"v1|without-a-nonce")
    assert proofs.verify(signed) == device.id
    assert proofs.verify(signed) == device.id  # the same connection, once it was let in
    replayed = Signed(signed.public_key, signed.signature, signed.messages)
    assert cause(proofs, replayed) == "signature_invalid"
    at[0] = 2 * SIGNATURE_SKEW_V3_S - 1
    assert cause(proofs, replayed) == "signature_invalid"
    at[0] += 1
    assert proofs.verify(replayed) == device.id  # by now its date is refused


def test_what_is_remembered_is_bounded(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIGNATURES_SEEN_MAX", 3)
    proofs = Proofs()
    for _ in range(9):
        proofs.verify(device.signed())
    assert len(proofs._seen) == 3


def test_what_was_signed_is_not_kept(device: Device) -> None:
    """It holds the token that came with it."""
    proofs, signed = Proofs(), device.signed(b"v1|token")
    kept = ref(signed)
    again = replace(signed)
    proofs.verify(signed)
    del signed
    gc.collect()
    assert kept() is None
    with pytest.raises(InstarError):
        proofs.verify(again)
