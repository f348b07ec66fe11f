"""The certificate: made, kept, replaced with a warning, and checked when the operator brings it."""

import base64
import hashlib
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from instar.base.errors import InstarError
from instar.hub.settings.tree import ListenSettings, ServerSettings, Settings, TlsSettings
from instar.server import tls

PUBLIC = Settings(
    listen=ListenSettings(address="192.0.2.7:8787", compat=["[2001:db8::1]:1", "0.0.0.0:2"]),
    server=ServerSettings(allowed_hosts=["hub.example"], public_url="https://public.example/x"),
)


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_first_start_makes_a_certificate_and_later_ones_keep_it(tmp_path: Path) -> None:
    assert tls.certificate_of(PUBLIC, tmp_path) is None
    with capture_logs() as logs:
        made = tls.prepare(PUBLIC, tmp_path)
        assert tls.prepare(PUBLIC, tmp_path) == made == tls.certificate_of(PUBLIC, tmp_path)
    assert logs == []
    folder = tmp_path / "tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes(folder) == {0o600}
    der = ssl.PEM_cert_to_DER_cert(made.certificate.read_text())
    assert made.fingerprint == "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert timedelta(days=3_649) < made.expires_at - datetime.now(UTC) < timedelta(days=3_651)
    certificate = x509.load_der_x509_certificate(der)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "hub.example", "public.example"} <= set(names.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "192.0.2.7", "2001:db8::1"}


@pytest.mark.parametrize("lost", ["key.pem", "certificate.pem"])
def test_a_lost_file_is_replaced_with_a_warning(tmp_path: Path, lost: str) -> None:
    before = tls.prepare(PUBLIC, tmp_path)
    (tmp_path / "tls" / lost).unlink()
    with capture_logs() as logs:
        after = tls.prepare(PUBLIC, tmp_path)
    assert after.fingerprint != before.fingerprint
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "pair again" in logs[0]["event"]


def own(folder: Path, *arguments: str) -> Settings:
    """Make a certificate as an operator would, and name it in the settings."""
    files = ["-keyout", str(folder / "own.key"), "-out", str(folder / "own.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=hub.example", *arguments, *files],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "own.key").chmod(0o600)
    return Settings(tls=TlsSettings(certificate=str(folder / "own.pem"), key=str(folder / "own.key")))


def test_the_operators_own_certificate(tmp_path: Path) -> None:
    found = tls.prepare(own(tmp_path, "-days", "30"), tmp_path / "hub")
    assert found.is_own
    assert not (tmp_path / "hub").exists()
    tls.context_of(found)
    said = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "own.pem"), "-noout", "-fingerprint", "-sha256"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    raw = bytes.fromhex(said.partition("=")[2].strip().replace(":", ""))
    assert found.fingerprint == "SHA256:" + base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda folder: (folder / "own.key").chmod(0o640), "open to other users"),
        (lambda folder: (folder / "own.key").unlink(), "No such file"),
        (lambda folder: (folder / "own.pem").write_text("nonsense"), "cannot be read"),
        (lambda folder: (folder / "own.key").write_bytes(b"\xff"), "cannot be read"),
        (lambda folder: (folder / "own.key").write_bytes(other_key(folder)), "is not the key of"),
    ],
)
def test_an_unusable_certificate_is_refused_with_its_cause(tmp_path: Path, spoil, cause: str) -> None:
    settings = own(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InstarError, match=cause) as caught:
        tls.prepare(settings, tmp_path)
    assert caught.value.code == "certificate_unusable"


def other_key(folder: Path) -> bytes:
    return tls.make(Settings(), folder).key.read_bytes()


def test_a_key_with_a_passphrase_is_refused_without_asking(tmp_path: Path) -> None:
    settings = own(tmp_path)
    key = tmp_path / "own.key"
    subprocess.run(
        ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(tmp_path / "locked")],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "locked").replace(key)
    with pytest.raises(InstarError, match="cannot be read"):
        tls.prepare(settings, tmp_path)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    # The certificate begins a day from the end of its life: openssl takes no negative `-days` in every version.
    settings = own(tmp_path, "-days", "1")
    found = tls.certificate_of(settings, tmp_path)
    assert found is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls, "datetime", _Later)
        with pytest.raises(InstarError, match="expired on") as caught:
            tls.prepare(settings, tmp_path)
        assert caught.value.code == "certificate_unusable"
        patch.setattr(tls, "CERTIFICATE_DAYS", 1)
        own_one = tls.prepare(PUBLIC, tmp_path / "hub")
        with capture_logs() as logs:
            _Later.days = 4
            assert tls.prepare(PUBLIC, tmp_path / "hub") == own_one
        assert "instar tls renew" in logs[0]["event"]


class _Later(datetime):
    """Two days from now."""

    days = 2

    @classmethod
    def now(cls, tz=None) -> datetime:
        return datetime.now(tz) + timedelta(days=cls.days)


@pytest.mark.parametrize(("certificate", "key", "missing"), [("a.pem", "", "tls.key"), ("", "a.key", "tls.cert")])
def test_half_a_certificate(tmp_path: Path, certificate: str, key: str, missing: str) -> None:
    with pytest.raises(InstarError, match=missing):
        tls.prepare(Settings(tls=TlsSettings(certificate=certificate, key=key)), tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("no folder")
    with pytest.raises(InstarError, match="cannot be written"):
        tls.make(PUBLIC, tmp_path)
