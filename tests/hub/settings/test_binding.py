import pytest

from instar.base.errors import InstarError
from instar.hub.identity.policy import AuthPolicy
from instar.hub.settings.binding import Address, base_url, check_bind, encrypts, parse_address, url_of
from instar.hub.settings.tree import ListenSettings, ServerSettings, Settings, TlsSettings


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback", "url"),
    [
        ("127.0.0.1:8787", "127.0.0.1", 8787, True, "http://127.0.0.1:8787"),
        ("127.9.9.9:1", "127.9.9.9", 1, True, "http://127.9.9.9:1"),
        ("localhost:0", "localhost", 0, True, "http://localhost:0"),
        ("[::1]:80", "::1", 80, True, "http://[::1]:80"),
        (":8787", "", 8787, False, "http://127.0.0.1:8787"),
        ("0.0.0.0:8787", "0.0.0.0", 8787, False, "http://127.0.0.1:8787"),
        ("[::]:8787", "::", 8787, False, "http://127.0.0.1:8787"),
        ("192.0.2.1:8787", "192.0.2.1", 8787, False, "http://192.0.2.1:8787"),
        ("localhost.example:1", "localhost.example", 1, False, "http://localhost.example:1"),
    ],
)
def test_addresses(text: str, host: str, port: int, is_loopback: bool, url: str) -> None:
    address = parse_address(text)
    assert address == Address(host, port)
    assert str(address) == text
    assert address.is_loopback is is_loopback
    assert address.url == url


@pytest.mark.parametrize(
    "text", ["", "8787", "host:", "host:x", "host:70000", "::1:80", "host:-1", "host:٣", "http://x:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InstarError, match="no listen address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("mode", "address", "compat", "is_refused"),
    [
        ("none", "127.0.0.1:1", [], False),
        ("none", "0.0.0.0:1", [], True),
        ("none", ":1", [], True),
        ("none", "127.0.0.1:1", ["192.0.2.1:2"], True),
        ("bearer", "0.0.0.0:1", [":2"], False),
        ("open", "0.0.0.0:1", [], False),
    ],
)
def test_nothing_public_without_credentials(mode: str, address: str, compat: list[str], is_refused: bool) -> None:
    settings = Settings(listen=ListenSettings(address=address, compat=compat), auth=AuthPolicy(mode=mode))  # type: ignore[arg-type]
    if not is_refused:
        check_bind(settings)
        return
    with pytest.raises(InstarError) as caught:
        check_bind(settings)
    assert caught.value.code == "forbidden"
    assert "INSTAR_AUTH_MODE=bearer instar start --listen" in caught.value.hint


@pytest.mark.parametrize(
    ("mode", "address", "proxies", "is_encrypted"),
    [
        ("auto", "127.0.0.1:1", [], False),
        ("auto", "0.0.0.0:1", [], True),
        ("auto", ":1", [], True),
        ("auto", "192.0.2.1:1", ["10.0.0.0/8"], False),
        ("on", "127.0.0.1:1", [], True),
        ("on", "192.0.2.1:1", ["10.0.0.0/8"], True),
        ("off", "127.0.0.1:1", [], False),
        ("off", "192.0.2.1:1", ["10.0.0.0/8"], False),
    ],
)
def test_what_is_encrypted(mode: str, address: str, proxies: list[str], is_encrypted: bool) -> None:
    settings = Settings(tls=TlsSettings(mode=mode), server=ServerSettings(trusted_proxies=proxies))  # type: ignore[arg-type]
    assert encrypts(settings, parse_address(address)) is is_encrypted
    assert url_of(settings, parse_address(address)).startswith("https://" if is_encrypted else "http://")


def test_nothing_public_in_the_clear_without_a_proxy() -> None:
    plain = TlsSettings(mode="off")
    public = ListenSettings(address="192.0.2.1:1")
    check_bind(Settings(tls=plain))
    check_bind(Settings(tls=plain, listen=public, server=ServerSettings(trusted_proxies=["192.0.2.9"])))
    with pytest.raises(InstarError, match="in the clear") as caught:
        check_bind(Settings(tls=plain, listen=public))
    assert caught.value.code == "forbidden"
    assert "INSTAR_TLS_MODE=auto instar start --listen 192.0.2.1:1" in caught.value.hint


@pytest.mark.parametrize("key", ["token", "password"])
@pytest.mark.parametrize(("chars", "address", "is_refused"), [
    (31, "0.0.0.0:1", True), (32, "0.0.0.0:1", False), (1, "127.0.0.1:1", False), (0, "0.0.0.0:1", False),
])  # fmt: skip
def test_a_shared_secret_that_others_can_try_is_long(key: str, chars: int, address: str, is_refused: bool) -> None:
    secret = "s" * chars
    settings = Settings(listen=ListenSettings(address=address), auth=AuthPolicy(**{key: secret}))  # type: ignore[arg-type]
    if not is_refused:
        check_bind(settings)
        return
    with pytest.raises(InstarError, match=f"`auth.{key}` is shorter than 32 characters") as caught:
        check_bind(settings)
    assert caught.value.code == "forbidden"
    assert secret not in caught.value.message + caught.value.hint


def test_where_browsers_go() -> None:
    assert base_url(Settings(listen=ListenSettings(address=":8787"))) == "https://127.0.0.1:8787"
    assert base_url(Settings()) == "http://127.0.0.1:8787"
    assert base_url(Settings(server=ServerSettings(public_url="https://hub.example/"))) == "https://hub.example"
