"""TLS: the certificate that the hub makes for itself, the operator's own, and how connections are encrypted."""

import os
import socket
import ssl
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from instar.base.errors import InstarError
from instar.hub.settings.binding import parse_address
from instar.hub.settings.tree import Settings
from instar.store.files import open_private, sync
from instar.wire.limits import CERTIFICATE_DAYS
from instar.wire.signatures import fingerprint

FOLDER = "tls"
"""In the data directory, mode 0700."""
CERTIFICATE_FILE = "certificate.pem"
KEY_FILE = "key.pem"
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_OTHERS = 0o077
_BACKDATED = timedelta(hours=1)
"""A client's clock may be behind the hub's."""

_log = structlog.get_logger("instar.server")


class Certificate(NamedTuple):
    """A certificate with its key, both as files."""

    certificate: Path
    key: Path
    fingerprint: str
    """`SHA256:` and the base64 of the certificate's SHA-256: what clients pin and people compare."""
    expires_at: datetime
    is_own: bool
    """Whether the operator brought it; otherwise the hub made it."""


def certificate_of(settings: Settings, data_dir: Path) -> Certificate | None:
    """Return the certificate that the hub would show, None before it has made one. Nothing is written.

    Raises:
        InstarError: `certificate_unusable` when it cannot be read.
    """
    if settings.tls.certificate or settings.tls.key:
        return _own(settings)
    folder = data_dir / FOLDER
    if not (folder / CERTIFICATE_FILE).exists() or not (folder / KEY_FILE).exists():
        return None
    return _read(folder / CERTIFICATE_FILE, folder / KEY_FILE, is_own=False)


def prepare(settings: Settings, data_dir: Path) -> Certificate:
    """Return the operator's certificate, or the hub's own one, made at the first call.

    Raises:
        InstarError: `certificate_unusable`, naming what is wrong with certificate or key.
    """
    found = certificate_of(settings, data_dir)
    if found is None:
        folder = data_dir / FOLDER
        if folder.exists() and any(folder.iterdir()):
            _log.warning("the certificate or its key was lost and is made anew: clients that pinned it must pair again")
        return make(settings, data_dir)
    check_key_mode(found.key)
    if found.expires_at <= datetime.now(UTC):
        if found.is_own:
            raise _unusable(f"{found.certificate} expired on {found.expires_at:%Y-%m-%d}")
        _log.warning("the hub's certificate has expired: run `instar tls renew`", expired_at=str(found.expires_at))
    return found


def make(settings: Settings, data_dir: Path) -> Certificate:
    """Make a key and a self-signed certificate in the data directory, in place of any that are there.

    Raises:
        InstarError: `certificate_unusable` when they cannot be written.
    """
    folder = data_dir / FOLDER
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key, _names(settings))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(folder / KEY_FILE, pem)
        _replace(folder / CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM))
        sync(folder)
    except OSError as error:
        raise _unusable(f"{folder} cannot be written: {error.strerror}") from error
    return _read(folder / CERTIFICATE_FILE, folder / KEY_FILE, is_own=False)


def context_of(certificate: Certificate) -> ssl.SSLContext:
    """Return how connections are encrypted: TLS 1.2 and above, forward secrecy, authenticated ciphers.

    Raises:
        InstarError: `certificate_unusable` when certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate.certificate, certificate.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unusable(f"{certificate.key} does not fit {certificate.certificate}: {_reason(error)}") from error
    return context


def check_key_mode(key: Path) -> None:
    """Refuse a private key that others can read.

    Raises:
        InstarError: `certificate_unusable`, with the command that mends it.
    """
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError as error:
        raise _unusable(f"the key {key} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise InstarError(
            "certificate_unusable",
            f"the key {key} is open to other users (mode {mode:o})",
            hint=f"Run `chmod 600 {key}`, then start again.",
        )


def _own(settings: Settings) -> Certificate:
    if not (settings.tls.certificate and settings.tls.key):
        missing = "tls.key" if settings.tls.certificate else "tls.certificate"
        raise _unusable(f"`{missing}` is not set; a certificate needs its key and a key its certificate")
    return _read(Path(settings.tls.certificate).expanduser(), Path(settings.tls.key).expanduser(), is_own=True)


def _read(certificate: Path, key: Path, *, is_own: bool) -> Certificate:
    """Read what the certificate says; the first of a chain is the hub's."""
    try:
        first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        public = first.public_key()
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(f"{certificate} with {key} cannot be read: {_reason(error)}") from error
    encoding = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*encoding) != public.public_bytes(*encoding):
        raise _unusable(f"{key} is not the key of {certificate}")
    der = first.public_bytes(serialization.Encoding.DER)
    return Certificate(certificate, key, fingerprint(der), first.not_valid_after_utc, is_own)


def _self_signed(key: ec.EllipticCurvePrivateKey, names: Iterable[str]) -> x509.Certificate:
    at = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Instar hub")])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(at - _BACKDATED).not_valid_after(at + timedelta(days=CERTIFICATE_DAYS))
    builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(key, hashes.SHA256())


def _names(settings: Settings) -> list[str]:
    """Return the names under which clients reach the hub, as far as the settings tell."""
    addresses = map(parse_address, (settings.listen.address, *settings.listen.compat))
    named = [address.host for address in addresses if not address.is_any]
    public = urlsplit(settings.server.public_url).hostname
    own = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *named, *settings.server.allowed_hosts]
    return list(dict.fromkeys(name.lower() for name in [*own, public or ""] if name and name.isascii()))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _replace(path: Path, content: bytes) -> None:
    """Put a private file in place of any that is there, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open_private(fresh) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _no_password() -> str:
    """Answer for a key with a passphrase: nobody is there to type it."""
    return ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error).partition("\n")[0]


def _unusable(cause: str) -> InstarError:
    return InstarError("certificate_unusable", cause)
