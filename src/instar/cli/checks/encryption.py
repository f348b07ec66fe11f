"""Checks of TLS: certificate, key, what is shown, and whether this machine's own way to the hub is encrypted."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from instar.client.access import is_loopback, left_by_hub
from instar.client.trust import fingerprint_at

from .check import PROBE_S, NotApplicableError, Scene

if TYPE_CHECKING:
    from instar.server.tls import Certificate


def usable(scene: Scene) -> str:
    """Whether certificate and key belong together and can be read."""
    from instar.server.tls import context_of  # noqa: PLC0415 - the server's part, only for these checks

    context_of(_certificate(scene))
    return ""


def key_private(scene: Scene) -> str:
    """Whether only the hub reads the certificate's key."""
    from instar.server.tls import check_key_mode  # noqa: PLC0415 - as above

    check_key_mode(_certificate(scene).key)
    return ""


def close_key(scene: Scene) -> None:
    """Give the key its mode."""
    _certificate(scene).key.chmod(0o600)


def served(scene: Scene) -> str:
    """Whether the hub shows the certificate that is on disk."""
    found = _certificate(scene)
    left = left_by_hub(scene.data_dir)
    if urlsplit(left.url).scheme != "https":
        raise NotApplicableError("no encrypted hub runs here")
    shown = fingerprint_at(left.url, PROBE_S)
    return (
        "" if shown == found.fingerprint else f"the hub shows {shown}, but {found.certificate} is {found.fingerprint}"
    )


def own_way(scene: Scene) -> str:
    """Whether what this machine sends to the hub can be read on its way."""
    url = scene.session.access.url
    if urlsplit(url).scheme != "http" or is_loopback(url):
        return ""
    return f"{url} is not encrypted: tokens and messages can be read on their way"


def _certificate(scene: Scene) -> "Certificate":
    from instar.server.tls import certificate_of  # noqa: PLC0415 - as above

    found = certificate_of(scene.loaded().settings, scene.data_dir)
    if found is None:
        raise NotApplicableError("the hub has no certificate: it listens on this machine alone")
    return found
