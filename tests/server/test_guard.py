"""Origin and Host: the matrix of S-01, generated, on HTTP and on upgrades; proxies; local callers."""

import itertools

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.binding import Address
from instar.server.guard import Guard, is_loopback, request_id

from .conftest import StubDoor, running

PORT = 8787
GOOD_HOSTS = [
    "localhost:8787", "127.0.0.1:8787", "[::1]:8787", "LOCALHOST:8787", "localhost", "127.0.0.1:9999",
    "hub.example.org", "hub.example.org:443", "192.168.1.5:8787",
]  # fmt: skip
BAD_HOSTS = [
    "evil.example", "localhost.evil.example", "localhost.", "127.0.0.1.nip.io:8787", "127.0.0.1.", "evil.localhost",
    "0.0.0.0:8787", "[::]:8787", "127.1:8787", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]:8787", "10.0.0.9:8787",
    "hub.example.org.", "xhub.example.org", "hub.example.org.evil.example", "localhost:99999", "localhost:",
    "localhost:8787@evil.example", "user@localhost", "local host", "localhost/", "[::1", "::1", "l\u03bfcalhost",
]  # fmt: skip
GOOD_ORIGINS = [
    None, "http://localhost:8787", "https://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:8787",
    "https://hub.example.org", "http://192.168.1.5:8787",
]  # fmt: skip
BAD_ORIGINS = [
    "null", "file://", "http://evil.example", "http://localhost", "http://localhost:8788", "http://localhost:8787.",
    "http://localhost.:8787", "http://localhost.evil.example:8787", "http://evil.localhost:8787", "http://127.0.0.1",
    "http://127.1:8787", "http://[::]:8787", "http://0.0.0.0:8787", "http://[::ffff:127.0.0.1]:8787",
    "http://localhost:8787/", "http://localhost:8787@evil.example", "ftp://localhost:8787", "ws://localhost:8787",
    "localhost:8787", "http://hub.example.org", "https://hub.example.org:444", "https://hub.example.org.",
    "https://xhub.example.org", "https://hub.example.org.evil.example", "chrome-extension://abcdef", "about:blank",
    "", " http://localhost:8787", "http://LOCALHOST:8787", "http://10.0.0.9:8787",
]  # fmt: skip


def guard(**lists: list[str]) -> Guard:
    named = {"allowed_hosts": ["hub.example.org"], "allowed_origins": ["https://hub.example.org/"]} | lists
    return Guard([Address("0.0.0.0", PORT)], **named)


def admit(over: Guard, headers: dict[str, str], peer: str = "127.0.0.1", scheme: str = "http"):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return over.admit(headers, pairs, (peer, 1), ("192.168.1.5", PORT), scheme)


MATRIX = [
    (host, origin, host in GOOD_HOSTS and origin in GOOD_ORIGINS)
    for host, origin in itertools.product(GOOD_HOSTS + BAD_HOSTS, GOOD_ORIGINS + BAD_ORIGINS)
]


def test_the_matrix_has_its_size() -> None:
    assert len(MATRIX) >= 1_000


@pytest.mark.parametrize("is_known", [False, True], ids=["fresh", "after-good-ones"])
def test_nothing_outside_the_lists_is_admitted(is_known: bool) -> None:
    over = guard()
    if is_known:
        for host in GOOD_HOSTS:
            admit(over, {"host": host})
    wrong: list[object] = []
    for host, origin, is_good in MATRIX:
        try:
            admit(over, {"host": host} | ({} if origin is None else {"origin": origin}))
            was_admitted: object = True
        except InstarError as error:
            was_admitted = False if error.code == "origin_refused" else error.code
        if was_admitted is not is_good:
            wrong.append((host, origin, was_admitted))
    assert wrong == []


@pytest.mark.parametrize(
    "origin", [origin for origin in GOOD_ORIGINS + BAD_ORIGINS if origin is None or origin.isascii()]
)
async def test_the_same_over_sockets(origin: str | None) -> None:
    async with running(StubDoor()) as hub:
        local = None if origin is None else origin.replace("8787", str(hub.port))
        is_good = origin in GOOD_ORIGINS and "example" not in (origin or "") and "192" not in (origin or "")
        if local is not None and local.strip() != local:
            return
        headers = {} if local is None else {"Origin": local}
        assert (await hub.get("/nothing", **headers)).status == (404 if is_good else 403)
        if local == "":
            return
        async with await hub.connect() as raw:
            answer = await raw.shake_hands("/echo", f"127.0.0.1:{hub.port}", **headers)
            assert answer.status == (101 if is_good else 403)


@pytest.mark.parametrize("host", ["evil.example", "localhost.", "127.0.0.1.nip.io"])
async def test_a_foreign_host_over_sockets(host: str) -> None:
    async with running(StubDoor()) as hub:
        assert (await hub.request(f"GET / HTTP/1.1\nHost: {host}\n")).status == 403


def test_a_missing_host_is_a_bad_request() -> None:
    with pytest.raises(InstarError) as caught:
        admit(guard(), {})
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(
    ("headers", "peer", "is_local"),
    [
        ({}, "127.0.0.1", True),
        ({}, "127.8.8.8", True),
        ({}, "::1", True),
        ({}, "::ffff:127.0.0.1", True),
        ({}, "192.168.1.9", False),
        ({}, "", False),
        ({"origin": "http://localhost:8787"}, "127.0.0.1", True),
        ({"x-forwarded-for": ""}, "127.0.0.1", False),
        ({"forwarded": "for=1.2.3.4"}, "127.0.0.1", False),
        ({"via": "1.1 x"}, "127.0.0.1", False),
        ({"x-real-ip": "127.0.0.1"}, "127.0.0.1", False),
        ({"cf-connecting-ip": "127.0.0.1"}, "127.0.0.1", False),
    ],
)
def test_who_is_local(headers: dict[str, str], peer: str, is_local: bool) -> None:
    assert admit(guard(), {"host": "localhost"} | headers, peer).is_local is is_local


FORWARDED = {
    "host": "localhost",
    "x-forwarded-for": "6.6.6.6, 203.0.113.7, 10.0.0.2",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "hub.example.org",
}


def test_forwarded_headers_count_from_a_trusted_proxy_only() -> None:
    trusting = guard(trusted_proxies=["10.0.0.0/8", "::1"])
    seen = admit(trusting, FORWARDED, "10.0.0.1")
    assert seen == ("203.0.113.7", False, "https", "hub.example.org", False, True)
    assert admit(trusting, FORWARDED, "::ffff:10.0.0.1") == seen
    for peer in ("11.0.0.1", "127.0.0.1", "not an address", ""):
        assert admit(trusting, FORWARDED, peer) == (peer, False, "http", "localhost", True, False)
    assert admit(guard(), FORWARDED, "10.0.0.1") == ("10.0.0.1", False, "http", "localhost", True, False)
    assert admit(trusting, FORWARDED | {"x-forwarded-proto": "gopher"}, "::1").scheme == "http"
    assert not admit(trusting, {"host": "localhost"}, "10.0.0.1").is_proxied
    with pytest.raises(InstarError):
        admit(trusting, FORWARDED | {"x-forwarded-host": "evil.example"}, "10.0.0.1")


@pytest.mark.parametrize(
    ("setting", "entry"),
    [
        ("allowed_hosts", "http://a"),
        ("allowed_hosts", "a:1"),
        ("allowed_origins", "a.example"),
        ("allowed_origins", "ftp://a"),
        ("allowed_origins", "https://a/b"),
        ("trusted_proxies", "proxy"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(setting: str, entry: str) -> None:
    with pytest.raises(InstarError, match=entry) as caught:
        guard(**{setting: [entry]})
    assert caught.value.hint


def test_a_default_port_may_be_left_out_of_an_origin() -> None:
    over = Guard([Address("127.0.0.1", 80)])
    for origin in ("http://localhost", "http://localhost:80"):
        admit(over, {"host": "localhost", "origin": origin})
    with pytest.raises(InstarError):
        admit(over, {"host": "localhost", "origin": "https://localhost"})


def test_the_memory_of_hosts_is_bounded() -> None:
    over = guard()
    for port in range(3_000):
        admit(over, {"host": f"localhost:{port}"})
    assert len(over._known) <= 1_024


def test_loopback_and_request_ids() -> None:
    assert not is_loopback("1270.0.0.1")
    assert request_id({}) != request_id({})
