import io
import json
import socket
import threading
from pathlib import Path

import pytest

from instar.client.errors import HubError, TimedOutError, UnreachableError
from instar.client.http import Client
from instar.client.trust import Trust

from .conftest import Recorder


def test_a_get_puts_parameters_into_path_and_query(server: Recorder):
    server.then(body={"items": []})
    answer = Client(server.url, "secret").invoke(
        "inbox.read", {"agent_id": "a/b", "lease": False, "wait": 1.5, "state": ""}
    )
    method, path, headers, body = server.asked[0]
    assert answer == {"items": []}
    assert (method, path, body) == ("GET", "/v1/agents/a%2Fb/inbox?lease=false&wait=1.5", b"")
    assert headers["authorization"] == "Bearer secret"


def test_a_post_puts_the_rest_into_the_body(server: Recorder):
    server.then(202, {"message_id": "m"})
    Client(server.url).invoke("messages.send", {"id": "m", "reply_to": None, "parts": []}, key="k1")
    _, _, headers, body = server.asked[0]
    assert json.loads(body) == {"id": "m", "parts": []}
    assert headers["idempotency-key"] == "k1"
    assert "authorization" not in headers


def test_an_error_body_becomes_the_exception(server: Recorder):
    body = {"code": "rate_limited", "error": "slow down", "hint": "Wait.", "retryable": True, "request_id": "r"}
    server.then(429, body, {"Retry-After": "3"})
    with pytest.raises(HubError) as caught:
        Client(server.url).invoke("rooms.list")
    error = caught.value
    assert (error.code, error.message, error.hint) == ("rate_limited", "slow down", "Wait.")
    assert (error.retryable, error.retry_after_s, error.request_id) == (True, 3.0, "r")


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (502, "bad_gateway"), (500, "internal_error")])
def test_a_foreign_error_body_gets_the_code_of_its_status(server: Recorder, status: int, code: str):
    server.then(status, b"<html>")
    with pytest.raises(HubError) as caught:
        Client(server.url).invoke("rooms.list")
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize("body", [b"[1]", b"<html>"])
def test_an_answer_of_another_make_is_named(server: Recorder, body: bytes):
    server.then(200, body)
    with pytest.raises(HubError, match="no hub says") as caught:
        Client(server.url).invoke("rooms.list")
    assert caught.value.code == "bad_gateway"


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError) as caught:
            Client(url).invoke("hub.health")
    assert caught.value.retryable
    assert "instar start" in caught.value.hint


def test_nobody_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimedOutError):
            Client(url, timeout_s=0.05).invoke("hub.health")


def test_a_body_that_breaks_off(server: Recorder):
    server.then(200, b"{", {"Content-Length": "100"})
    with pytest.raises(UnreachableError):
        Client(server.url).invoke("hub.health")


def test_upload_streams_the_file(server: Recorder):
    server.then(201, {"blob": "sha256-0"})
    Client(server.url).upload(io.BytesIO(b"abc"), 3, filename="a b.txt", media_type="text/plain")
    method, path, headers, body = server.asked[0]
    assert (method, body) == ("POST", b"abc")
    assert path == "/v1/uploads?filename=a+b.txt&media_type=text%2Fplain"
    assert (headers["content-type"], headers["content-length"]) == ("text/plain", "3")


def test_a_unix_socket(tmp_path: Path):
    path = tmp_path / "hub.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}')

        thread = threading.Thread(target=serve)
        thread.start()
        assert Client(f"unix:{path}").invoke("hub.health") == {"status": "ok"}
        thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hub",
        "127.0.0.1:1",
        "http://",
        "http://u:p@hub",
        "http://hub/?access_token=x",
        "http://hub:x",
        f"http://{'x' * 64}",
    ],
)
def test_bad_addresses(url: str):
    with pytest.raises(HubError) as caught:
        Client(url).invoke("hub.health")
    assert caught.value.code == "usage"


def test_a_missing_ca_file(tmp_path: Path):
    with pytest.raises(HubError, match="CA file"):
        Client("https://hub", trust=Trust(str(tmp_path / "none.pem"))).invoke("hub.health")
