"""Every route and every kind of credential, over HTTP: who is let in, and who may not even know."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from faults.valid import PREPARATION, VALID, split
from instar.wire import signatures
from instar.wire.identity import Scope
from instar.wire.table import TABLE

from .running import RunningHub

OTHER = "another agent"
"""A token that names another agent (scopes attach and write), which is a member of nothing."""
SCOPED = tuple(str(scope) for scope in Scope)
CREDENTIALS = (*SCOPED, OTHER)
ANYONE = set(CREDENTIALS)
CARD = {"observe", "admin", "pair", "attach", "write", OTHER}
READERS = {"observe", "admin"}
ADMIN = {"admin"}

LET_IN: dict[str, set[str]] = {
    "hub.network": CARD,
    "hub.health": ANYONE,
    "hub.ready": ANYONE,
    "hub.status": {"operate"},
    "hub.backup": {"operate"},
    "settings.list": {"operate"},
    "settings.file": {"operate"},
    "settings.change": set(),
    "settings.replace": set(),
    "settings.history": {"operate"},
    "settings.rollback": set(),
    "settings.schema": {"operate"},
    "hub.apply": ADMIN,
    "pairings.list": CARD,
    "keys.create": {"keys"},
    "keys.list": {"keys"},
    "keys.revoke": {"keys"},
    "keys.rotate": {"keys"},
    "auth.whoami": ANYONE,
    "auth.exchange": ANYONE,
    "auth.logout": ANYONE,
    "auth.console_link": {"keys"},
    "auth.password": ANYONE,
    "people.add": {"keys"},
    "people.list": {"keys"},
    "people.set_password": {"keys"},
    "people.disable": {"keys"},
    "people.enable": {"keys"},
    "people.remove": {"keys"},
    "devices.challenge": ANYONE,
    "devices.ask": ANYONE,
    "devices.outcome": ANYONE,
    "devices.sign_in": ANYONE,
    "devices.use_code": ANYONE,
    "devices.list": {"devices"},
    "devices.get": {"devices"},
    "devices.requests": {"devices"},
    "devices.approve": {"devices"},
    "devices.reject": {"devices"},
    "devices.rename": {"devices"},
    "devices.rotate": {"devices"},
    "devices.revoke": {"devices"},
    "devices.remove": {"devices"},
    "pairing.status": {"devices"},
    "pairing.open": {"devices"},
    "pairing.close": {"devices"},
    "pairing.code": {"devices"},
    "hub.logs": {"operate"},
    "audit.list": {"operate"},
    "audit.verify": {"operate"},
    "rooms.list": ANYONE,
    "rooms.create": ADMIN,
    "rooms.get": READERS,
    "rooms.update": ADMIN,
    "rooms.remove": ADMIN,
    "rooms.members": ADMIN,
    "rooms.messages": READERS,
    "rooms.threads": READERS,
    "rooms.mark_read": READERS,
    "rooms.export": READERS,
    "threads.get": READERS,
    "threads.messages": READERS,
    "dms.list": ANYONE,
    "dms.open": {"write", OTHER},
    "dms.get": READERS,
    "dms.messages": READERS,
    "sessions.open": {"write", OTHER},
    "sessions.list": ANYONE,
    "sessions.get": READERS,
    "sessions.update": ADMIN,
    "sessions.reset": ADMIN,
    "sessions.remove": ADMIN,
    "sessions.messages": READERS,
    "runs.await": ANYONE,
    "presence.list": READERS,
    "presence.note": set(),
    "messages.send": set(),
    "messages.send_batch": ANYONE,
    "messages.get": READERS,
    "messages.edit": set(),
    "messages.redact": ADMIN,
    "messages.react": set(),
    "messages.unreact": set(),
    "messages.search": ANYONE,
    "artifacts.list": READERS,
    "blobs.upload": {"write", OTHER},
    "blobs.get": READERS,
    "agents.list": CARD,
    "agents.get": CARD,
    "agents.register": ADMIN,
    "agents.rotate_token": set(),
    "agents.update": ADMIN,
    "agents.remove": ADMIN,
    "agents.pause": ADMIN,
    "agents.resume": ADMIN,
    "agents.set_presence": ADMIN,
    "agents.stop_all": {"operate"},
    "agents.resume_all": {"operate"},
    "inbox.read": ADMIN,
    "inbox.ack": ADMIN,
    "inbox.nack": ADMIN,
    "inbox.replay": ADMIN,
    "events.read": ANYONE,
    "runs.list": ANYONE,
    "runs.get": READERS,
    "runs.cancel": ADMIN,
    "schedules.create": set(),
    "schedules.list": READERS,
    "schedules.get": READERS,
    "schedules.update": set(),
    "schedules.remove": ADMIN,
    "schedules.pause": ADMIN,
    "schedules.resume": ADMIN,
    "schedules.run": ADMIN,
    "schedules.history": READERS,
    "calls.start": {"execute"},
    "calls.get": {*READERS, "approve"},
    "calls.list": ANYONE,
    "calls.cancel": set(),
    "calls.signal": set(),
    "calls.resize": set(),
    "calls.input": set(),
    "calls.output": {*READERS, "approve"},
    "calls.route": {"execute"},
    "routes.list": {"execute"},
    "routes.set": set(),
    "tools.list": {"execute"},
    "tools.use": {"execute"},
    "approvals.list": {"approve"},
    "approvals.get": {"approve"},
    "approvals.approve": {"approve"},
    "approvals.deny": {"approve"},
    "approvals.rules": {"approve"},
    "approvals.add_rule": {"approve"},
    "approvals.remove_rule": {"approve"},
    "approvals.set_agent_rules": {"approve"},
    "approvals.import": {"approve"},
    "approvals.judge": {"approve"},
    "nodes.list": {*READERS, "execute", "devices"},
    "nodes.get": {*READERS, "execute", "devices"},
    "nodes.requests": {"devices"},
    "nodes.approve": set(),
    "nodes.permit": set(),
    "nodes.label": ADMIN,
    "nodes.history": {*READERS, "execute", "devices"},
    "nodes.exec_status": {*READERS, "execute", "devices"},
    "ssh.keys": {*READERS, "execute"},
    "ssh.generate_key": set(),
    "ssh.import_key": set(),
    "ssh.remove_key": set(),
    "ssh.targets": {*READERS, "execute"},
    "ssh.add_target": set(),
    "ssh.update_target": set(),
    "ssh.remove_target": set(),
    "ssh.test": set(),
    "ssh.scan": set(),
    "ssh.pin": set(),
    "ssh.unpin": set(),
}
"""Operation → the credentials that its valid request is let in with, in a private room of others; the operator always.

Empty: no scope is enough by itself. Changing settings needs admin and operate, editing and schedules admin and write, a
reaction observe and write, a token can only be passed on by who holds what it may.
Written by hand, not made from the rules: it says what is wanted, and a new operation must say it too.
"""

SIGN_IN = {"auth.exchange", "auth.password", "devices.ask", "devices.sign_in", "devices.use_code"}
"""They look at what they are given instead; here that is always wrong."""
NEEDS_NONE = {"hub.health", "hub.ready", "devices.challenge", "devices.outcome", *SIGN_IN}
"""Operations that look at no credential."""
SIGN_IN_REFUSED = {401, 429}
"""Wrong, or too often wrong: passwords lock the address."""
STATUS_OF_ALLOWED = {200, 201, 202, 404, 409, 424}
"""The acts of those who are let in; what one of them has removed is not there for the next, nor an SSH host."""


class Matrix:
    """A hub with what the valid requests name, and a token of every kind."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        for method, path, body, status in PREPARATION:
            got, answer = hub.ask(method, path, body)
            assert got == status, (path, answer)
        assert hub.ask("POST", "/v1/agents/register", {"requested_agent_id": "doomed"})[0] == 201
        self.tokens = {scope: hub.key(scope, scope) for scope in SCOPED}
        self.tokens[OTHER] = hub.key("mallory", "attach", "write", agents=["mallory"])
        self.invalid = {"none": "", "wrong": "ik_" + "w" * 43, "empty": " ", "expired": "", "revoked": ""}
        self.params = {name: dict(params) for name, params in VALID.items()}
        self.params["keys.create"] = {"name": "k", "scopes": ["keys"]}
        self.params["rooms.list"] = {"limit": "10"}
        self.params["agents.remove"] = {"agent_id": "doomed"}
        for name in ("keys.revoke", "keys.rotate"):
            self.params[name] = {"key_id": self.made_key(scopes=["keys"])["key"]["id"]}
        for name in ("runs.get", "runs.cancel"):
            self.params[name] = {"run_id": self.made_run()}
        call_id = self.made_call()
        for name in ("get", "cancel", "signal", "resize", "input", "output"):
            self.params[f"calls.{name}"]["call_id"] = call_id
        for name in ("people.set_password", "people.disable", "people.enable", "people.remove"):
            self.params[name]["person_id"] = self.made_person(name)
        for name in ("get", "rename", "rotate", "revoke", "remove"):
            self.params[f"devices.{name}"]["device_id"] = self.made_device()
        self.params["devices.rotate"]["scopes"] = None
        for name in ("outcome", "approve", "reject"):
            self.params[f"devices.{name}"]["request_id"] = self.made_request()
        self.params["devices.approve"] |= {"scopes": None, "rooms": None}
        self.params["people.add"] |= {"scopes": ["keys"], "rooms": None}
        self.expire_and_revoke()

    def made_person(self, operation: str) -> str:
        """Add a person who may no more than a key of scope `keys` alone may hand out."""
        person = {"login": operation, "password": "correct horse battery", "scopes": ["keys"]}
        status, made = self.hub.ask("POST", "/v1/people", person)
        assert status == 201, made
        return made["id"]

    def made_device(self) -> str:
        """Let a device in that may no more than a key of scope `devices` alone may hand out."""
        status, code = self.hub.ask("POST", "/v1/pairing/codes", {"scopes": ["devices"]})
        assert status == 201, code
        status, made = self.hub.ask("POST", "/v1/devices/use-code", {"code": code["code"]}, token="")
        assert status == 201, made
        return made["device_id"]

    def made_request(self) -> str:
        """Let a device ask: with a key, as pairing is closed, and not the operator's, which would let it in."""
        seed = os.urandom(signatures.SEED_BYTES)
        key = signatures.to_base64url(signatures.public_key_of(seed))
        client_nonce = signatures.to_base64url(os.urandom(signatures.NONCE_BYTES))
        _, hub = self.hub.ask("POST", "/v1/devices/challenge", {"public_key": key, "client_nonce": client_nonce})
        nonce = signatures.from_base64(hub["nonce"])
        assert nonce is not None
        message = signatures.device_message("pair", hub["hub_id"], nonce, "operator", ["devices"])
        signature = signatures.to_base64url(signatures.sign(seed, message))
        ask = {"public_key": key, "nonce": hub["nonce"], "signature": signature, "scopes": ["devices"]}
        status, made = self.hub.ask("POST", "/v1/devices/requests", ask, token=self.tokens["write"])
        assert status == 201, made
        return made["id"]

    def made_key(self, **wanted: Any) -> Any:
        status, made = self.hub.ask("POST", "/v1/keys", {"name": "made", **wanted})
        assert status == 201, made
        return made

    def made_call(self) -> str:
        """Ask for a call in the private room that ends at once, as SSH targets have no such tool."""
        call = {"tool": "which", "args": {"names": ["sh"]}, "target": "ssh:box", "room": "room:plaza", "wait": 5}
        status, made = self.hub.ask("POST", "/v1/calls", call)
        assert status == 201, made
        assert made["state"] == "failed", made
        return made["id"]

    def made_run(self) -> str:
        """Wake the built-in agent in the private room and return its run."""
        assert self.hub.ask("PATCH", "/v1/rooms/plaza/members", {"add": ["guide"]})[0] == 200
        message = {"target": {"kind": "room", "room_id": "plaza"}, "parts": [{"kind": "text", "text": "@guide hi"}]}
        assert self.hub.ask("POST", "/v1/messages", message)[0] == 202
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            _, found = self.hub.ask("GET", "/v1/runs?agent_id=guide")
            if in_plaza := [run["id"] for run in found["runs"] if run["room"] == "room:plaza"]:
                return in_plaza[0]
        raise AssertionError("the built-in agent was not woken")

    def expire_and_revoke(self) -> None:
        expiring = self.made_key(scopes=["admin", "operate"], expires_in_s=0.2)
        revoked = self.made_key(scopes=["admin", "operate"])
        assert self.hub.ask("DELETE", f"/v1/keys/{revoked['key']['id']}")[0] == 200
        self.invalid["revoked"], self.invalid["expired"] = revoked["token"], expiring["token"]
        deadline = time.monotonic() + 10
        while self.hub.ask("GET", "/v1/me", token=expiring["token"])[0] != 401:
            assert time.monotonic() < deadline, "the key does not expire"

    def ask(self, name: str, token: str | None) -> tuple[int, Any]:
        """Send an operation's valid request."""
        operation = TABLE[name]
        assert operation.route is not None
        path, query, body = split(operation, self.params[name])
        cli = self.hub.cli("x", self.hub.operator_token if token is None else token)
        status, payload = cli.request(operation.route.method, path + ("?" + query if query else ""), body)
        is_json = operation.route.media_type == "application/json" or status >= 400
        return status, json.loads(payload) if is_json else payload


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    hub = RunningHub(tmp_path_factory.mktemp("authorisation") / "data", "bearer")
    yield Matrix(hub)
    hub.stop()


def test_every_route_has_a_row() -> None:
    assert LET_IN.keys() == {name for name, operation in TABLE.items() if operation.route is not None}


@pytest.mark.parametrize("name", sorted(LET_IN))
def test_no_valid_credential_is_not_let_in(name: str, matrix: Matrix) -> None:
    for kind, token in matrix.invalid.items():
        status, answer = matrix.ask(name, token)
        if name in NEEDS_NONE:
            assert (status == 200) != (name in SIGN_IN), (kind, answer)
            continue
        assert status == 401, (kind, answer)
        assert answer["code"] == "unauthorized"


@pytest.mark.parametrize("name", sorted(LET_IN))
def test_who_is_let_in(name: str, matrix: Matrix) -> None:
    for kind in [kind for kind in CREDENTIALS if kind not in LET_IN[name]]:
        status, answer = matrix.ask(name, matrix.tokens[kind])
        assert status in {403, 404}, (kind, status, answer)
        assert answer["code"] in {"forbidden", "not_found"}, (kind, answer)
    for kind in [kind for kind in CREDENTIALS if kind in LET_IN[name]]:
        status, answer = matrix.ask(name, matrix.tokens[kind])
        if name in SIGN_IN:
            assert status in SIGN_IN_REFUSED, (kind, answer)
            continue
        assert status in STATUS_OF_ALLOWED, (kind, status, answer)
        if name == "messages.send_batch":
            assert all(one["code"] in {"forbidden", "not_found"} for one in answer["results"]), (kind, answer)
    status, answer = matrix.ask(name, None)
    assert status in (SIGN_IN_REFUSED if name in SIGN_IN else STATUS_OF_ALLOWED), answer
    if name == "agents.stop_all":
        assert matrix.ask("agents.resume_all", None)[0] == 200


def test_lists_show_nothing_of_others(matrix: Matrix) -> None:
    matrix.hub.ask("POST", "/v1/rooms", {"id": "seen", "visibility": "public"})
    for kind in set(CREDENTIALS) - READERS:
        token = matrix.tokens[kind]
        for path in ("/v1/rooms", "/v1/dms", "/v1/runs", "/v1/search?q=hello", "/v1/events?limit=500"):
            status, answer = matrix.hub.ask("GET", path, token=token)
            if "events" in answer:  # the audit log names what it is about, to scope operate alone
                answer["events"] = [event for event in answer["events"] if event["room_key"] != "system:audit"]
            shown = json.dumps(answer)
            assert status == 200, (kind, path, answer)
            assert "plaza" not in shown, (kind, path)
            assert '"d-1"' not in shown, (kind, path)
            assert "and **more**" not in shown, (kind, path)
