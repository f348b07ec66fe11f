"""Who the client is behind proxies: read from the right, never this machine, never twice."""

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.binding import Address
from instar.server.guard import Guard
from instar.server.proxies import FORWARDING, SINGLE, Proxies
from instar.wire.http import Request, Response

from .conftest import StubDoor, running

PROXY = "10.0.0.1"
TRUSTING = Proxies(["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"])


def client(chain: str | None, proxy: str = PROXY) -> str:
    headers = {"via": "1.1 x"} if chain is None else {"x-forwarded-for": chain}
    return TRUSTING.forwarded(headers, proxy, "http", "localhost").peer


@pytest.mark.parametrize(
    ("chain", "peer"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7", "203.0.113.7"),
        ("made up, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6,203.0.113.7,10.9.9.9 , 10.0.0.2", "203.0.113.7"),
        ("203.0.113.7, 127.0.0.1", "203.0.113.7"),
        ("10.0.0.2", "10.0.0.2"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:470::1]:4711", "2001:470::1"),
        ("2001:470::1", "2001:470::1"),
        ("2001:470::1, 2001:db8::9", "2001:470::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", PROXY),
        (None, PROXY),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(chain: str | None, peer: str) -> None:
    assert client(chain) == peer


@pytest.mark.parametrize(
    "chain",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1", "[::1]", "::ffff:127.0.0.1", "::ffff:7f00:1", "0.0.0.0",
        "::", "127.0.0.1:80", "203.0.113.7, 127.0.0.2", "203.0.113.7, ::1", "unknown", "203.0.113.7, unknown",
        "203.0.113.7,", "localhost", "127.1", "2130706433", "0x7f.1", "_hidden", "1.2.3.4.5", "-h", "1.2.3.4 5.6.7.8",
    ],
)  # fmt: skip
def test_a_client_that_is_this_machine_or_nobody_is_refused(chain: str) -> None:
    with pytest.raises(InstarError) as caught:
        client(chain)
    assert caught.value.code == "proxy_attribution_required"


@pytest.mark.parametrize("chain", ["", None, "127.0.0.1"])
def test_a_proxy_on_this_machine_must_say_who_comes(chain: str | None) -> None:
    with pytest.raises(InstarError):
        client(chain, proxy="127.0.0.1")


def test_nobody_is_a_proxy_unless_named() -> None:
    assert not Proxies([]).has("10.0.0.1")
    assert [TRUSTING.has(peer) for peer in ("10.0.0.1", "11.0.0.1", "::ffff:10.0.0.1", "", "10.0.0.1 ")] == [
        True, False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*SINGLE, "x-forwarded-user"])
def test_what_a_proxy_writes_is_refused_twice(name: str) -> None:
    over = Guard([Address("127.0.0.1", 1)], trusted_proxies=[PROXY], identity_header="X-Forwarded-User")
    pairs = [(b"host", b"localhost"), (name.encode(), b"203.0.113.7"), (name.encode(), b"203.0.113.8")]
    headers = {key.decode(): value.decode() for key, value in pairs}
    with pytest.raises(InstarError) as caught:
        over.admit(headers, pairs, (PROXY, 1), None, "http")
    assert caught.value.code == "bad_request"


class Seen:
    """A door that keeps the requests that reach it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, b"{}")


@pytest.mark.parametrize("name", sorted(FORWARDING))
@pytest.mark.parametrize("spelt", [str.lower, str.upper, str.title])
async def test_every_forwarding_header_shows_however_it_is_spelt(name: str, spelt, prefer_fast: bool) -> None:
    seen = Seen()
    async with running(StubDoor(seen), prefer_fast=prefer_fast) as hub:
        assert (await hub.request(f"GET / HTTP/1.1\nHost: {{host}}\n{spelt(name)}: 127.0.0.1\n")).status == 200
        async with await hub.connect() as raw:
            assert (await raw.shake_hands("/echo", f"127.0.0.1:{hub.port}", **{spelt(name): "127.0.0.1"})).status == 101
    (request,) = seen.requests
    assert (request.is_forwarded, request.is_local, request.is_proxied) == (True, False, False)
    assert (request.peer, request.connected_from) == ("127.0.0.1", "127.0.0.1")


async def test_a_trusted_proxy_is_believed_on_every_carrier(prefer_fast: bool) -> None:
    seen = Seen()
    head = "GET / HTTP/1.1\nHost: {host}\nX-FORWARDED-FOR: 127.0.0.1, 203.0.113.7\nx-Forwarded-Proto: HTTPS\n"
    async with running(StubDoor(seen), prefer_fast=prefer_fast, trusted_proxies=["127.0.0.1"]) as hub:
        assert (await hub.request(head)).status == 200
        (request,) = seen.requests
        assert (request.is_forwarded, request.is_local, request.is_proxied) == (False, False, True)
        assert (request.peer, request.scheme, request.connected_from) == ("203.0.113.7", "https", "127.0.0.1")
        for spoofed in ("127.0.0.1", "203.0.113.7, ::1", "unknown"):
            answer = await hub.get("/", X_Forwarded_For=spoofed)
            assert (answer.status, b"proxy_attribution_required" in answer.body) == (403, True)
            async with await hub.connect() as raw:
                shaken = await raw.shake_hands("/echo", f"127.0.0.1:{hub.port}", X_Forwarded_For=spoofed)
                assert shaken.status == 403
        twice = await hub.request("GET / HTTP/1.1\nHost: {host}\nX-Forwarded-For: 1.2.3.4\nx-forwarded-for: 1.2.3.4\n")
        assert twice.status == 400
        assert (await hub.get("/")).status == 200
    assert seen.requests[-1].is_local
