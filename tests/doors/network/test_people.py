"""People against a real hub: a browser's sign-in with name and password, and what ends it."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from .running import RunningHub

PASSWORD = "correct horse battery"
OTHER = "another long password"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    started = RunningHub(tmp_path_factory.mktemp("people") / "data", "bearer")
    yield started
    started.stop()


class Browser:
    """As much of a browser as a session needs."""

    def __init__(self, hub: RunningHub) -> None:
        self.address = urlsplit(hub.url).netloc
        self.cookie = ""

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        headers = {"Origin": f"http://{self.address}", "Content-Type": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        payload = answer.read()
        connection.close()
        return answer.status, json.loads(payload), {name.lower(): value for name, value in answer.getheaders()}

    def sign_in(self, login: str, password: str) -> tuple[int, Any]:
        status, answer, headers = self.ask("POST", "/v1/auth/password", {"login": login, "password": password})
        if status == 200:
            set_cookie = headers["set-cookie"]
            assert "HttpOnly" in set_cookie
            assert "SameSite=Strict" in set_cookie
            assert "Path=/" in set_cookie
            self.cookie = set_cookie.partition(";")[0]
            assert self.cookie.partition("=")[2] not in json.dumps(answer)
        return status, answer

    @contextmanager
    def stream(self) -> Iterator[http.client.HTTPResponse]:
        with closing(http.client.HTTPConnection(self.address, timeout=20)) as connection:
            connection.request("GET", "/v1/events/stream", headers={"Cookie": self.cookie})
            with connection.getresponse() as answer:
                yield answer


def add(hub: RunningHub, login: str, *scopes: str) -> Any:
    wanted = {"login": login, "password": PASSWORD, "scopes": scopes or ["observe", "write"], "name": login.title()}
    status, person = hub.ask("POST", "/v1/people", wanted)
    assert status == 201, person
    return person


def test_a_person_signs_in_and_speaks_as_themselves(hub: RunningHub) -> None:
    person, browser = add(hub, "ada"), Browser(hub)
    assert browser.ask("GET", "/v1/me")[0] == 401
    status, session = browser.sign_in("Ada", PASSWORD)
    assert (status, session["principal"]) == (200, {"id": person["id"], "kind": "person", "name": "Ada"})
    assert browser.ask("GET", "/v1/me")[1]["scopes"] == ["observe", "write"]
    room = {"id": "talk", "members": [person["id"]]}
    assert hub.ask("POST", "/v1/rooms", room)[0] == 201
    said = {"target": {"kind": "room", "room_id": "talk"}, "parts": [{"kind": "text", "text": "hello"}]}
    assert browser.ask("POST", "/v1/messages", said)[0] == 202
    spoofed = {**said, "from": {"type": "human", "id": "operator", "name": "Operator"}}
    assert browser.ask("POST", "/v1/messages", spoofed)[0] == 403
    (message,) = browser.ask("GET", "/v1/rooms/talk/messages")[1]["messages"]
    assert (message["from"]["type"], message["from"]["id"], message["from"]["name"]) == ("human", person["id"], "Ada")
    assert browser.ask("GET", "/v1/people")[0] == 403
    assert browser.ask("POST", "/v1/auth/logout")[0] == 200
    assert browser.ask("GET", "/v1/me")[0] == 401


@pytest.mark.parametrize("act", ["password", "disable", "remove"])
def test_what_ends_a_persons_sessions_ends_their_live_streams(act: str, hub: RunningHub) -> None:
    person, browser = add(hub, f"eve-{act}"), Browser(hub)
    assert browser.sign_in(f"eve-{act}", PASSWORD)[0] == 200
    method, path, body = {
        "password": ("POST", f"/v1/people/{person['id']}/password", {"password": OTHER}),
        "disable": ("POST", f"/v1/people/{person['login']}/disable", None),
        "remove": ("DELETE", f"/v1/people/{person['id']}", None),
    }[act]
    with browser.stream() as stream:
        assert stream.status == 200
        assert hub.ask(method, path, body)[0] == 200
        assert browser.ask("GET", "/v1/me")[0] == 401
        stream.read()  # returns only once the hub has ended it
    assert browser.sign_in(f"eve-{act}", PASSWORD)[0] == 401


def test_a_setup_of_wrong_passwords_locks_this_machines_browsers_too(hub: RunningHub) -> None:
    add(hub, "bob")
    browser = Browser(hub)
    codes = [browser.sign_in("bob", f"guess number {number}")[0] for number in range(12)]
    assert set(codes) == {401, 429}
    status, answer = browser.sign_in("bob", PASSWORD)
    assert (status, answer["code"]) == (429, "rate_limited")
    assert answer["retry_after_s"] > 0
    assert hub.ask("GET", "/v1/me")[0] == 200  # the operator's own command goes on
