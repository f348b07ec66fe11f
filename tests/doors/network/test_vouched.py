"""People whom a proxy has signed in, against real hubs: one that trusts a proxy, one that asks Tailscale."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.hub.identity.test_tailnet import ANSWER, program

from .running import RunningHub

PROXIED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
SERVED = PROXIED | {
    "X-Forwarded-For": "100.64.0.7",
    "X-Forwarded-Host": "localhost",
    "Tailscale-User-Login": "ada@example.com",
}


def ask(hub: RunningHub, headers: dict[str, str], path: str = "/v1/me") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    payload = answer.read()
    connection.close()
    return answer.status, json.loads(payload) if payload else None


def upgrade(hub: RunningHub, headers: dict[str, str]) -> int:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "instar.v1",
    }
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
    connection.request("GET", "/v1/attach", headers=handshake | headers)
    status = connection.getresponse().status
    connection.close()
    return status


def add(hub: RunningHub, login: str) -> None:
    person = {"login": login, "password": "correct horse battery", "scopes": ["observe"]}
    assert hub.ask("POST", "/v1/people", person)[0] == 201


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    settings = ("--set", "auth.proxy_header=X-Forwarded-User", "--set", "server.trusted_proxies=127.0.0.1")
    started = RunningHub(tmp_path_factory.mktemp("proxied") / "data", "bearer", *settings)
    add(started, "ada")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder: Path = tmp_path_factory.mktemp("served")
    command = program(folder, f"echo '{ANSWER}'")
    started = RunningHub(folder / "data", "bearer", "--set", f"auth.tailscale={command}")
    add(started, "ada@example.com")
    yield started
    started.stop()


def test_a_trusted_proxy_lets_its_people_in(trusting: RunningHub) -> None:
    status, me = ask(trusting, PROXIED | {"X-Forwarded-User": "Ada"})
    assert (status, me["principal"]["kind"], me["principal"]["name"], me["scopes"]) == (
        200,
        "person",
        "ada",
        ["observe"],
    )
    assert upgrade(trusting, PROXIED | {"X-Forwarded-User": "ada"}) == 101
    assert ask(trusting, PROXIED | {"x-FORWARDED-user": "ada"})[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (PROXIED, 401),
        (PROXIED | {"X-Forwarded-User": "eve"}, 401),
        (PROXIED | {"X-Forwarded-User": "ada, eve"}, 401),
        (PROXIED | {"X-Forwarded-User": "ada", "Authorization": "Bearer wrong"}, 401),
        ({"X-Forwarded-User": "ada"}, 401),
        (PROXIED | {"X-Forwarded-User": "ada", "X-Forwarded-For": "127.0.0.1"}, 403),
        (PROXIED | {"X-Forwarded-User": "ada", "Origin": "https://evil.example"}, 403),
        (SERVED | {"X-Forwarded-For": "100.64.0.7"}, 401),
    ],
)
def test_what_a_proxy_says_is_not_enough_by_itself(headers: dict[str, str], status: int, trusting: RunningHub) -> None:
    assert ask(trusting, headers)[0] == status
    assert upgrade(trusting, headers) == status


def test_a_disabled_person_is_let_in_no_more(trusting: RunningHub) -> None:
    add(trusting, "bob")
    vouched = PROXIED | {"X-Forwarded-User": "bob"}
    assert ask(trusting, vouched)[0] == 200
    assert trusting.ask("POST", "/v1/people/bob/disable")[0] == 200
    assert ask(trusting, vouched)[0] == 401
    assert trusting.ask("POST", "/v1/people/bob/enable")[0] == 200
    assert ask(trusting, vouched)[0] == 200


def test_tailscale_lets_its_people_in(serving: RunningHub) -> None:
    status, me = ask(serving, SERVED)
    assert (status, me["principal"]["kind"], me["scopes"]) == (200, "person", ["observe"])
    assert upgrade(serving, SERVED) == 101


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SERVED | {"Tailscale-User-Login": "eve@example.com"}, 401),
        (SERVED | {"X-Forwarded-For": "6.6.6.6, 100.64.0.7"}, 401),
        ({name: value for name, value in SERVED.items() if name != "X-Forwarded-Host"}, 401),
        (PROXIED | {"X-Forwarded-User": "ada@example.com"}, 401),
    ],
)
def test_without_tailscales_word_nobody_is(headers: dict[str, str], status: int, serving: RunningHub) -> None:
    assert ask(serving, headers)[0] == status
    assert upgrade(serving, headers) == status
