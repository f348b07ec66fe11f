"""What a device of OpenClaw's dialect signs: its payloads v1, v2 and v3, and how near its clock must be.

`hub.authenticate` alone verifies the signature; here is only what must have been signed, and the checks that need no
key. Each payload is bound to device, client, role, the scopes as they were asked for, the time and the credential that
came with it; v2 and v3 to the nonce of the connection as well.
"""

from collections.abc import Sequence
from typing import NamedTuple

from instar.wire.limits import SIGNATURE_SKEW_V3_S, SIGNATURE_SKEW_V4_S
from instar.wire.signatures import PUBLIC_KEY_BYTES, device_id, from_base64

from .connect import Introduction
from .method import Generation

PEM_HEAD = "-----BEGIN PUBLIC KEY-----"
PEM_TAIL = "-----END PUBLIC KEY-----"
SPKI_HEAD = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 §4)."""


class Fault(NamedTuple):
    """Why a device's proof is refused before anything is verified."""

    cause: str
    message: str


MISMATCH = Fault("device-id-mismatch", "device identity mismatch")
STALE = Fault("device-signature-stale", "device signature expired")
NO_NONCE = Fault("device-nonce-missing", "device nonce required")
OTHER_NONCE = Fault("device-nonce-mismatch", "device nonce mismatch")
BAD_SIGNATURE = Fault("device-signature", "device signature invalid")
BAD_KEY = Fault("device-public-key", "device public key invalid")


class Proof(NamedTuple):
    """What `hub.authenticate` verifies."""

    public_key: bytes
    signature: bytes
    messages: tuple[bytes, ...]


def payload(
    version: str,
    *,
    device: str,
    client: str,
    mode: str,
    role: str,
    scopes: Sequence[str],
    signed_at_ms: int,
    token: str,
    nonce: str = "",
    platform: str = "",
    family: str = "",
) -> bytes:
    """Return what is signed in version `v1`, `v2` or `v3`; v1 has no nonce, platform and family are of v3 alone."""
    parts = [version, device, client, mode, role, ",".join(scopes), str(signed_at_ms), token]
    if version != "v1":
        parts.append(nonce)
    if version == "v3":
        parts += [_folded(platform), _folded(family)]
    return "|".join(parts).encode()


def raw_public_key(text: str) -> bytes | None:
    """Return the 32 bytes of a public key in base64url or PEM; None when it is neither."""
    text = text.strip()
    if text.startswith(PEM_HEAD) and text.endswith(PEM_TAIL):
        der = from_base64("".join(text[len(PEM_HEAD) : -len(PEM_TAIL)].split())) or b""
        key = der.removeprefix(SPKI_HEAD) if der.startswith(SPKI_HEAD) else b""
    else:
        key = from_base64(text) or b""
    return key if len(key) == PUBLIC_KEY_BYTES else None


def proof_of(who: Introduction, nonce: str, at_ms: int, *, is_local: bool) -> Proof | Fault:
    """Return what a device must have signed on this connection, or why that need not be asked.

    Args:
        who: A client with a device.
        nonce: Of this connection.
        at_ms: Now, in milliseconds since 1970.
        is_local: A client of generation 3 on this machine may leave the nonce out.
    """
    device = who.device
    assert device is not None
    key = raw_public_key(device.public_key)
    if key is None or device_id(key) != device.id:
        return MISMATCH
    is_third = who.generation is Generation.V3
    skew_s = SIGNATURE_SKEW_V3_S if is_third else SIGNATURE_SKEW_V4_S
    if abs(at_ms - device.signed_at) > skew_s * 1_000:
        return STALE
    given = device.nonce.strip()
    if not given and not (is_third and is_local):
        return NO_NONCE
    if given and given != nonce:
        return OTHER_NONCE
    signature = from_base64(device.signature)
    if signature is None:
        return BAD_SIGNATURE
    versions = (("v2",) if given else ("v1",)) if is_third else ("v3", "v2")
    return Proof(key, signature, tuple(_signed(version, who, given) for version in versions))


def _signed(version: str, who: Introduction, nonce: str) -> bytes:
    device = who.device
    assert device is not None
    return payload(
        version,
        device=device.id,
        client=who.id,
        mode=who.mode,
        role=who.role,
        scopes=who.asked,
        signed_at_ms=device.signed_at,
        token=who.token or who.device_token or who.bootstrap_token,
        nonce=nonce,
        platform=who.platform,
        family=who.family,
    )


def _folded(text: str) -> str:
    """Return the text trimmed, with ASCII letters in lower case."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text.strip())
