"""Vectors made with another library, and what each payload of ours is bound to."""

import base64

import pytest

from instar.wire import signatures

NONCE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
REQUEST_NONCE = b"00000000-0000-4000-8000-000000000000"
VECTORS = [
    (
        b"\x07" * 32,
        "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=",
        "SHA256:/oEsEvOrTOasXbaaw1L5BssbEe9D+zPiUu9/9VImOIk=",
        "QcDYkBEYIhhfHgjaJQu1HSgUqQfZeOIJO+taWPiboQusgSEKBmMSehr7uV4sWdPZiqclEsBBofzuV228y91iDw==",
        "PbCfeHhMMR11v+EkyXC8DsD/RAucDdT9jmwBkzU79Qs1C2E9qGUf/NpbPRiR/FFbq8JeQL0dNA99hXF3510yDw==",
    ),
    (
        bytes(range(32)),
        "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
        "SHA256:Vkdap1RjR0wChd9dvyvKtz2mUTWIOem3dIGy6rEHcIw=",
        "szXcXq5wtIdk8RIHu6pidXy7lOggzro3autipYFd+r54Qhd1iDbKKFBKNqIWCrvcnnh0/h1lJKWGZe8sQm2jDg==",
        "iwcF31XKMfZlrDJaTMdB4OMYadyL2J+PrKIRTZKAEkS0LjMZ8u4Is9OVDrTNF99zi4tLQvTZKN2QebBbNdMgBg==",
    ),
]


@pytest.mark.parametrize(("seed", "key", "fingerprint", "of_nonce", "of_request"), VECTORS)
def test_the_vectors_of_a_stock_node(seed: bytes, key: str, fingerprint: str, of_nonce: str, of_request: str) -> None:
    public_key, nonce = signatures.public_key_of(seed), base64.b64decode(NONCE)
    assert public_key == base64.b64decode(key) == signatures.from_base64(key)
    assert signatures.fingerprint(public_key) == fingerprint
    assert len(fingerprint) == 51
    for message, signature in ((nonce, of_nonce), (REQUEST_NONCE, of_request)):
        assert signatures.sign(seed, message) == base64.b64decode(signature)
        assert signatures.verify(public_key, base64.b64decode(signature), message)
        assert not signatures.verify(public_key, base64.b64decode(signature), message + b"\x00")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("AAEC", b"\x00\x01\x02"),
        ("-_8", b"\xfb\xff"),
        ("+/8=", b"\xfb\xff"),
        ("-_8=", b"\xfb\xff"),
        ("-_9", None),
        ("A", None),
        ("AA=A", None),
        ("AA A", None),
        ("AAEC\n", None),
        ("é", None),
        ("", b""),
    ],
)
def test_a_key_has_one_spelling(text: str, content: bytes | None) -> None:
    assert signatures.from_base64(text) == content


def test_a_signature_that_was_bent_is_none() -> None:
    seed = b"\x07" * 32
    key, signature = signatures.public_key_of(seed), signatures.sign(seed, b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    bent = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not signatures.verify(key, bent, b"m")
    assert not signatures.verify(key, signature[:-1], b"m")
    assert not signatures.verify(key[:-1], signature, b"m")
    assert not signatures.verify(bytes(32), bytes(64), b"m")
    assert not signatures.verify(b"\x02" + bytes(31), signature, b"m")


def test_payloads_differ_in_every_part() -> None:
    payloads = {
        signatures.device_message(purpose, hub, nonce, role, scopes)
        for purpose in ("pair", "sign-in")
        for hub in ("a" * 64, "b" * 64)
        for nonce in (b"1" * 32, b"2" * 32)
        for role in ("operator", "node")
        for scopes in ([], ["write"], ["write", "observe"], ["observe", "write"])
    }
    assert len(payloads) == 64
    hubs = {
        signatures.hub_message(hub, mine, theirs, key)
        for hub in ("a" * 64, "b" * 64)
        for mine in (b"1" * 32, b"2" * 32)
        for theirs in (b"1" * 32, b"2" * 32)
        for key in (b"k" * 32, b"l" * 32)
    }
    assert len(hubs) == 16
    assert not payloads & hubs
