"""Who reaches the hub, and what they meet there."""

from datetime import UTC, datetime
from ipaddress import ip_network

from instar.cli.checks.check import NotApplicableError, Scene
from instar.wire.limits import CERTIFICATE_WARN_DAYS, SHARED_SECRET_MIN_CHARS

from .grants import living_keys

_WIDE_BITS = {4: 16, 6: 64}
"""A network of trusted proxies that has fewer bits than this is rather a whole site."""


def bind_no_auth(scene: Scene) -> str:
    """Whether other machines reach a hub that asks for nothing."""
    mode = scene.setting("auth.mode")
    return f"{_public(scene)} is open to other machines with `auth.mode: {mode}`" if mode == "none" else ""


def loopback_no_auth(scene: Scene) -> str:
    """Whether every program on this machine may use the hub."""
    if scene.setting("auth.mode") != "none":
        return ""
    return "with `auth.mode: none` every program of every user on this machine may read and send"


def public_read(scene: Scene) -> str:
    """Whether anybody may read public rooms."""
    if scene.setting("auth.public_read") or scene.setting("auth.mode") == "open":
        return f"anybody who reaches {_public(scene)} may read public rooms"
    return ""


def open_registration(scene: Scene) -> str:
    """Whether anybody may claim an agent id."""
    is_open = scene.setting("auth.agent_registration") == "open" or scene.setting("auth.mode") == "open"
    return "anybody who reaches the hub may register an agent" if is_open else ""


def token_too_short(scene: Scene) -> str:
    """Whether the shared secret is easy to guess."""
    auth = scene.loaded().settings.auth
    if not auth.has_shared_secret:
        raise NotApplicableError("no shared secret is set here")
    secrets = {"auth.token": auth.token, "auth.password": auth.password}
    short = [key for key, secret in secrets.items() if secret and len(secret) < SHARED_SECRET_MIN_CHARS]
    return f"{' and '.join(short)} have fewer than {SHARED_SECRET_MIN_CHARS} characters" if short else ""


def trusted_proxies_missing(scene: Scene) -> str:
    """Whether a proxy stands before the hub that the hub does not know of."""
    url = str(scene.setting("server.public_url") or "")
    is_own = any(f":{address.port}" in url for address in scene.addresses())
    if not url or scene.setting("server.trusted_proxies") or is_own:
        return ""
    return f"browsers come by {url}, but no proxy is trusted: every visitor has the proxy's address, and one lock"


def trusted_proxies_wide(scene: Scene) -> str:
    """Whether more machines are believed to be proxies than can be."""
    proxies = [ip_network(entry, strict=False) for entry in scene.setting("server.trusted_proxies")]
    wide = [str(each) for each in proxies if each.prefixlen < _WIDE_BITS[each.version]]
    return f"whoever sits in {', '.join(wide)} may say that it is somebody else" if wide else ""


def allowed_origins(scene: Scene) -> str:
    """Whether pages of strangers may use the hub in a browser."""
    wild = [origin for origin in scene.setting("server.allowed_origins") if "*" in origin or origin == "null"]
    plain = [
        origin
        for origin in scene.setting("server.allowed_origins")
        if origin.startswith("http://") and not origin.startswith(("http://localhost", "http://127.0.0.1"))
    ]
    if wild:
        return f"{', '.join(wild)} lets any page in a browser talk to the hub"
    return f"{', '.join(plain)} is unencrypted: whoever carries it can write the page" if plain else ""


def proxy_header(scene: Scene) -> str:
    """Whether a header names people whom no proxy can have signed in."""
    if not scene.setting("auth.proxy_header"):
        return ""
    if scene.setting("server.trusted_proxies"):
        return ""
    return "`auth.proxy_header` is set, but no proxy is trusted: nobody can come by it"


def tls_off(scene: Scene) -> str:
    """Whether other machines reach the hub in the clear."""
    plain = [address for address in scene.addresses() if not address.is_loopback]
    if not plain:
        raise NotApplicableError("only this machine reaches the hub")
    mode, proxies = scene.setting("tls.mode"), scene.setting("server.trusted_proxies")
    if mode == "on" or (mode == "auto" and not proxies):
        return ""
    return f"{plain[0]} is unencrypted; only {', '.join(proxies) or 'nobody'} should reach it"


def certificate_expiring(scene: Scene) -> str:
    """Whether the certificate ends soon."""
    from instar.server.tls import certificate_of  # noqa: PLC0415 - the server's part, only for this check

    found = certificate_of(scene.loaded().settings, scene.data_dir)
    if found is None:
        raise NotApplicableError("the hub has no certificate")
    left = (found.expires_at - datetime.now(UTC)).days
    when = f"on {found.expires_at:%Y-%m-%d}"
    return f"{found.certificate} ends {when}, in {left} days" if left <= CERTIFICATE_WARN_DAYS else ""


def attack_surface(scene: Scene) -> str:
    """What can be reached at all, in one line."""
    places = ", ".join(
        f"{address}{'' if address.is_loopback else ' (other machines)'}" for address in scene.addresses()
    )
    parts = [f"listens on {places}", f"auth {scene.setting('auth.mode')}", f"TLS {scene.setting('tls.mode')}"]
    parts += [part for part in (_count(scene, *each) for each in _COUNTED) if part]
    return "; ".join(parts)


_COUNTED = (("keys.list", "keys", "keys"), ("devices.list", "devices", "devices"), ("people.list", "people", "people"))


def _count(scene: Scene, operation: str, member: str, word: str) -> str:
    try:
        found = scene.told(operation)[member]
    except NotApplicableError:
        return ""
    if word == "keys":
        found = living_keys(found)
    living = [each for each in found if not each.get("revoked_at") and not each.get("disabled_at")]
    return f"{len(living)} {word}"


def _public(scene: Scene) -> str:
    """Return the first address that other machines reach.

    Raises:
        NotApplicableError: There is none.
    """
    public = [address for address in scene.addresses() if not address.is_loopback]
    if not public:
        raise NotApplicableError("only this machine reaches the hub")
    return str(public[0])
