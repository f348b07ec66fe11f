"""Origin and Host on every way into a real hub: nothing outside its lists is let through, not even on its own machine.

A page in a browser on the hub's own machine reaches its port, under whatever name its author lets resolve to loopback.
Host and Origin are what the browser says for it, and each is checked on each request, upgrade and stream.
"""

import itertools
import socket
from collections.abc import Iterator

import pytest

from tests.doors.network.running import RunningHub

PORT = "{port}"
GOOD_HOSTS = [
    "127.0.0.1:{port}",
    "localhost:{port}",
    "LocalHost:{port}",
    "[::1]:{port}",
    "hub.example.org",
    "localhost",
]
BAD_HOSTS = [
    "evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "evil.localhost:{port}",
    "localhost.:{port}", "localhost.", "127.0.0.1.:{port}", "127.0.0.1.nip.io:{port}", "127.1:{port}",
    "127.0.1:{port}", "2130706433:{port}",
    "0x7f000001:{port}", "0177.0.0.1:{port}", "0.0.0.0:{port}", "[::]:{port}", "[::ffff:127.0.0.1]:{port}",
    "[0:0:0:0:0:0:0:1]:{port}", "[::1%25lo]:{port}", "[::1", "::1", "10.0.0.9:{port}", "192.168.0.1:{port}",
    "hub.example.org.", "xhub.example.org", "hub.example.org.evil.example", "evil.example#hub.example.org",
    "localhost:{port}@evil.example", "user@localhost:{port}", "user:password@127.0.0.1:{port}", "localhost:99999",
    "localhost:{port}:{port}", "localhost:", "localhost:-1", "local host:{port}", "localhost/:{port}",
    "localhost\\:{port}", "localhost,evil.example", "loc\u0430lhost:{port}", "localhost\uff0eevil.example",
    "\u2488.0.0.1:{port}", "*", "",
]  # fmt: skip
GOOD_ORIGINS = [
    None, "http://127.0.0.1:{port}", "http://localhost:{port}", "http://[::1]:{port}", "https://localhost:{port}",
    "https://hub.example.org",
]  # fmt: skip
BAD_ORIGINS = [
    "null", "NULL", "file://", "file:///home/user/page.html", "http://evil.example", "https://evil.example:{port}",
    "http://localhost", "http://127.0.0.1", "http://localhost:1", "http://localhost:{port}0",
    "http://localhost:{port}.",
    "http://localhost.:{port}", "http://127.0.0.1.:{port}", "http://localhost.evil.example:{port}",
    "http://evil.localhost:{port}", "http://127.0.0.1.nip.io:{port}", "http://127.1:{port}", "http://2130706433:{port}",
    "http://0.0.0.0:{port}", "http://[::]:{port}", "http://[::ffff:127.0.0.1]:{port}",
    "http://[0:0:0:0:0:0:0:1]:{port}", "http://localhost:{port}/", "http://localhost:{port}/console/",
    "http://localhost:{port}@evil.example", "http://user@localhost:{port}", "http://user:password@127.0.0.1:{port}",
    "HTTP://localhost:{port}", "http://LOCALHOST:{port}", "ws://localhost:{port}", "wss://localhost:{port}",
    "ftp://localhost:{port}", "localhost:{port}", "//localhost:{port}", "http:localhost:{port}",
    "http://hub.example.org", "https://hub.example.org:444", "https://hub.example.org.", "https://xhub.example.org",
    "https://hub.example.org.evil.example", "https://evil.example?https://hub.example.org", "chrome-extension://abcdef",
    "moz-extension://abcdef", "about:blank", "data:text/html,x", "blob:http://localhost:{port}", "app://obsidian.md",
    "http://localhost:{port},http://evil.example", "http://localhost:{port} http://evil.example",
    "http://loc\u0430lhost:{port}", "http://localhost\uff1a{port}", "http://10.0.0.9:{port}", "*", "",
]  # fmt: skip

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
CARRIERS = {
    "http": ("GET /v1/me", ""),
    "write": ("POST /v1/stop", "Content-Length: 0\r\n"),
    "stream": ("GET /v1/events/stream", ""),
    "console": ("GET /console/", ""),
    "attach": ("GET /v1/attach", UPGRADE),
    "link": ("GET /v1/attach", UPGRADE + "Sec-WebSocket-Protocol: instar.v1\r\n"),
    "gateway": ("GET /ws", UPGRADE),
    "root": ("GET /", UPGRADE),
}
MATRIX = [
    (host, origin)
    for host, origin in itertools.product(GOOD_HOSTS + BAD_HOSTS, GOOD_ORIGINS + BAD_ORIGINS)
    if host in GOOD_HOSTS[:2] or origin in GOOD_ORIGINS[:2] or (host in GOOD_HOSTS and origin in GOOD_ORIGINS)
]
"""Every bad host with a good origin or none, every bad origin with good hosts, and all good pairs."""


class Front:
    """A hub's port, for requests of any shape."""

    def __init__(self, hub: RunningHub) -> None:
        self.port = int(hub.url.rpartition(":")[2])
        self._token = hub.operator_token

    def ask(self, carrier: str, host: str, origin: str | None) -> tuple[int, bytes]:
        """Send a request with the operator's own token; return the status and the first bytes of the answer."""
        line, more = CARRIERS[carrier]
        named = "" if origin is None else f"Origin: {origin}\r\n"
        head = f"{line} HTTP/1.1\r\nHost: {host}\r\n{named}Authorization: Bearer {self._token}\r\n{more}\r\n"
        return self.send(head.replace(PORT, str(self.port)).encode())

    def send(self, head: bytes) -> tuple[int, bytes]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(head)
            answer = connection.recv(65_536)
        return int(answer.split(b" ", 2)[1]), answer


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    settings = (
        "--set", "server.allowed_hosts=hub.example.org", "--set", "server.allowed_origins=https://hub.example.org",
    )  # fmt: skip
    hub = RunningHub(tmp_path_factory.mktemp("origins") / "data", "bearer", *settings)
    yield Front(hub)
    hub.stop()


def test_the_matrix_has_its_size() -> None:
    assert len(MATRIX) >= 200
    assert len(set(MATRIX)) == len(MATRIX)


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
def test_nothing_outside_the_lists_is_let_through(carrier: str, front: Front) -> None:
    let_through, turned_away = [], []
    for host, origin in MATRIX:
        status, answer = front.ask(carrier, host, origin)
        is_good = host in GOOD_HOSTS and origin in GOOD_ORIGINS
        is_refused = status == 400 or (status == 403 and b"origin_refused" in answer)
        if is_refused and is_good:
            turned_away.append((host, origin, answer))
        elif not (is_refused or is_good):
            let_through.append((host, origin, answer))
    assert let_through == []
    assert turned_away == []


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
@pytest.mark.parametrize(
    "heads",
    [
        "",
        "Host: localhost:{port}\r\nHost: evil.example\r\n",
        "Host: evil.example\r\nHost: localhost:{port}\r\n",
        "Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nOrigin: http://evil.example\r\n",
        "Host: localhost:{port}\r\nOrigin: http://evil.example\r\norigin: http://localhost:{port}\r\n",
    ],
)
def test_two_of_one_header_or_none_are_let_through_nowhere(carrier: str, heads: str, front: Front) -> None:
    line, more = CARRIERS[carrier]
    head = f"{line} HTTP/1.1\r\n{heads.replace(PORT, str(front.port))}{more}\r\n"
    assert front.send(head.encode())[0] == 400


@pytest.mark.parametrize("carrier", ["http", "stream", "attach", "link"])
def test_who_is_let_through_is_served(carrier: str, front: Front) -> None:
    status, _ = front.ask(carrier, "localhost:{port}", "http://localhost:{port}")
    assert status == (101 if carrier in ("attach", "link") else 200)
