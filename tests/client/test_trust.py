"""Certificates as a client judges them, against real TLS servers: nothing is sent to a hub that is not the one."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from instar.client.errors import HubError, UnreachableError
from instar.client.http import Client
from instar.client.trust import Trust, fingerprint_at
from instar.client.websocket import open_websocket
from instar.hub.settings.tree import Settings
from instar.server import tls


class TlsServer:
    """Answers every request with `{}`, and remembers every byte that it was sent."""

    def __init__(self, folder: Path) -> None:
        self.certificate = tls.make(Settings(), folder)
        self.received = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._context = tls.context_of(self.certificate)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            with plain:
                try:
                    with self._context.wrap_socket(plain, server_side=True) as encrypted:
                        if chunk := encrypted.recv(65_536):
                            self.received += chunk
                            encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                except OSError:
                    continue

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[TlsServer]:
    with closing(TlsServer(tmp_path)) as server:
        yield server


def pinned(hub: TlsServer) -> Trust:
    return Trust(certificate=hub.certificate.fingerprint, source="the test")


def client(hub: TlsServer, trust: Trust) -> Client:
    return Client(hub.url, "secret-token", trust=trust)


def test_a_pinned_certificate_needs_no_authority(hub: TlsServer):
    assert client(hub, pinned(hub)).invoke("hub.health") == {}
    assert b"Bearer secret-token" in hub.received


def test_an_authority_of_ones_own(hub: TlsServer):
    assert client(hub, Trust(ca_file=str(hub.certificate.certificate))).invoke("hub.health") == {}


def test_a_stranger_is_refused_with_its_fingerprint_and_told_nothing(hub: TlsServer):
    with pytest.raises(HubError) as caught:
        client(hub, Trust()).invoke("hub.health")
    assert caught.value.code == "hub_untrusted"
    assert caught.value.detail == {"found": hub.certificate.fingerprint}
    assert caught.value.hint.endswith(f"instar pair {hub.url}")
    assert hub.received == b""


def test_another_certificate_than_the_pinned_one_is_refused_and_told_nothing(hub: TlsServer):
    with pytest.raises(HubError) as caught:
        client(hub, Trust(certificate="SHA256:other", source="the test")).invoke("hub.health")
    assert caught.value.code == "hub_changed"
    assert hub.certificate.fingerprint in caught.value.message
    assert "the test says SHA256:other" in caught.value.message
    assert hub.received == b""


def test_a_pin_is_not_softened_by_an_authority(hub: TlsServer):
    trust = Trust(ca_file=str(hub.certificate.certificate), certificate="SHA256:other")
    with pytest.raises(HubError, match="SHA256:other"):
        client(hub, trust).invoke("hub.health")
    assert hub.received == b""


@pytest.mark.parametrize(
    ("trust", "code"),
    [(Trust(), "hub_untrusted"), (Trust(certificate="SHA256:other"), "hub_changed"), (None, "bad_gateway")],
)
async def test_sockets_are_as_careful(hub: TlsServer, trust: Trust | None, code: str):
    with pytest.raises(HubError) as caught:
        await open_websocket(hub.url, "/v1/attach", token="secret-token", trust=trust or pinned(hub))
    assert caught.value.code == code
    assert (b"Bearer secret-token" in hub.received) is (trust is None)


def test_the_fingerprint_that_an_address_shows(hub: TlsServer):
    assert fingerprint_at(hub.url, 5) == hub.certificate.fingerprint
    assert hub.received == b""


async def test_nobody_speaks_tls_there():
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(UnreachableError, match="nobody speaks TLS"):
            await asyncio.to_thread(fingerprint_at, url, 5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "unix:/x", "https://"])
def test_only_encrypted_addresses_have_one(url: str):
    with pytest.raises(HubError) as caught:
        fingerprint_at(url, 1)
    assert caught.value.code == "usage"


def test_old_versions_of_tls_are_not_spoken():
    from instar.client.trust import context_of

    for trust in (Trust(), Trust(certificate="SHA256:x")):
        assert context_of(trust).minimum_version >= ssl.TLSVersion.TLSv1_2
