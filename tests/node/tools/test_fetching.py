"""`fetch` reads public pages and nothing else: 150 ways to an internal address, 0 connections."""

import http.server
import itertools
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.node import addresses
from instar.node.tools import fetching
from instar.wire.tools import Fetch

from .conftest import Use

INTERNAL = [
    "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "017700000001", "0x7f000001", "0x7f.1", "0177.0.0.1",
    "127.0.0.1.", "localhost", "LOCALHOST", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
    "10.0.0.1", "10.1", "167772161", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.257", "3232235521",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[::1]", "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::]",
    "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[100::1]", "[2001:db8::1]",
    "[2606:4700::5efe:7f00:1]", "[2606:4700::200:5efe:a9fe:a9fe]", "[5f00::1]",
]  # fmt: skip
FORMS = ["http://{}/", "https://{}:443/x", "http://{}:8787/v1/keys?a=b"]
CASES = [form.format(host) for host, form in itertools.product(INTERNAL, FORMS)]


class Server(http.server.ThreadingHTTPServer):
    """A page server that counts who came."""

    visits = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.visits += 1
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"x")
            self.wfile.flush()
            threading.Event().wait(3)
            return
        body = self.headers["Host"].encode() if self.path == "/host" else b"page " * 20_000
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the addresses of this machine for public ones, so that there is a server to fetch from."""

    def refused(address: addresses.Address, own: object = ()) -> str:
        return "" if address.is_loopback else "it is not public"

    monkeypatch.setattr(addresses, "refused", refused)


def test_the_corpus_is_large_enough():
    assert len(CASES) >= 150


async def test_no_internal_address_is_gone_to(use: Use, monkeypatch: pytest.MonkeyPatch):
    def connected(*_: object, **__: object) -> socket.socket:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket, "create_connection", connected)
    codes: dict[str, str] = {}
    for url in CASES:
        with pytest.raises(InstarError) as refused:
            await use(Fetch(url))
        codes[url] = refused.value.code
    # A name that the resolver does not know leads nowhere.
    assert set(codes.values()) <= {"forbidden", "bad_gateway"}
    assert sum(code == "forbidden" for code in codes.values()) > 130


async def test_redirects_are_checked_again(use: Use, server: Server, public: None):
    home = f"http://127.0.0.1:{server.port}"
    for target in (
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "//192.168.0.1/x",
        "file:///etc/passwd",
        "gopher://x/",
    ):
        before = server.visits
        with pytest.raises(InstarError) as refused:
            await use(Fetch(f"{home}/to/{target}"))
        assert refused.value.code in ("forbidden", "unprocessable_entity")
        assert server.visits == before + 1
    found = await use(Fetch(f"{home}/to/{home}/host"))
    assert (found.result.url, found.output) == (f"{home}/host", f"127.0.0.1:{server.port}".encode())
    loop = f"{home}/to/{home}/x"
    for _ in range(6):
        loop = f"{home}/to/{loop}"
    with pytest.raises(InstarError, match="more than 5 redirects"):
        await use(Fetch(loop))


async def test_a_name_that_mixes_addresses_or_changes_its_mind(
    use: Use, server: Server, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def resolved(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses_ = ["93.184.216.34", "127.0.0.1"] if host == "mixed.test" else ["93.184.216.34"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses_]

    dialled: list[tuple[str, int]] = []

    def connected(where: tuple[str, int], **_: object) -> socket.socket:
        dialled.append(where)
        raise ConnectionRefusedError("no route in a test")

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(socket, "create_connection", connected)
    with pytest.raises(InstarError, match=r"mixed\.test leads to 127"):
        await use(Fetch("http://mixed.test/"))
    with pytest.raises(InstarError, match="cannot be read"):
        await use(Fetch("http://turns.test/"))
    # The connection goes to what was checked: the name is asked for once.
    assert dialled == [("93.184.216.34", 80)]
    assert asked == ["mixed.test", "turns.test"]


async def test_pages_are_cut_and_time_is_over(use: Use, server: Server, public: None):
    home = f"http://127.0.0.1:{server.port}"
    page = await use(Fetch(f"{home}/", 1_000))
    assert (len(page.output), page.result.is_cut, page.result.media_type) == (1_000, True, "text/plain")
    whole = await use(Fetch(f"{home}/"))
    assert (len(whole.output), len(whole.result.text), whole.result.is_truncated) == (100_000, 51_200, True)
    with pytest.raises(InstarError) as late:
        await use(Fetch(f"{home}/slow", timeout_s=0.2))
    assert late.value.code == "timeout"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "http://", "x", "http://a b/", "http://u:p@example.com/", "http://[::1", "http://x:99999/"],
)
async def test_urls_that_are_none(use: Use, url: str):
    with pytest.raises(InstarError) as refused:
        await use(Fetch(url))
    assert refused.value.code == "unprocessable_entity"


@pytest.mark.parametrize("text", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_fine(text: str):
    assert addresses.refused(ip_address(text)) == ""


def test_an_own_address_is_refused_though_it_is_public():
    mine = {ip_address("93.184.216.34")}
    for text in ("93.184.216.34", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"):
        assert addresses.refused(ip_address(text), mine) == "it is this machine's own"


def test_this_machines_own_addresses_are_known():
    assert ip_address("127.0.0.1") in fetching.own_addresses()
