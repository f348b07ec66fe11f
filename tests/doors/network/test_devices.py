"""A device of our own over HTTP, against a hub in a process of its own: as a new user would pair one."""

import http.client
import os
from collections.abc import Iterator
from typing import Any

import pytest

from instar.wire import signatures

from .running import RunningHub

b64 = signatures.to_base64url


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path_factory.mktemp("devices") / "data", "bearer")
    yield running
    running.stop()


class Device:
    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self.seed = os.urandom(signatures.SEED_BYTES)
        self.key = signatures.public_key_of(self.seed)
        self.id = signatures.device_id(self.key)

    def challenge(self) -> Any:
        mine = {"public_key": b64(self.key), "client_nonce": b64(b"c" * 32)}
        status, hub = self.hub.ask("POST", "/v1/devices/challenge", mine, token="")
        assert status == 200, hub
        return hub

    def proof(self, purpose: str, *scopes: str, hub: Any = None) -> dict[str, Any]:
        hub = hub or self.challenge()
        nonce = signatures.from_base64(hub["nonce"])
        assert nonce is not None
        message = signatures.device_message(purpose, hub["hub_id"], nonce, "operator", scopes)
        signature = b64(signatures.sign(self.seed, message))
        return {"public_key": b64(self.key), "nonce": hub["nonce"], "signature": signature, "scopes": list(scopes)}

    def ask(self, *scopes: str, token: str = "", **more: Any) -> tuple[int, Any]:
        return self.hub.ask("POST", "/v1/devices/requests", {**self.proof("pair", *scopes), **more}, token=token)

    def sign_in(self, *scopes: str) -> tuple[int, Any]:
        return self.hub.ask("POST", "/v1/devices/sign-in", self.proof("sign-in", *scopes), token="")


def test_pairing_signing_in_and_revoking(hub: RunningHub) -> None:
    device = Device(hub)
    status, refused = device.ask("observe", "write")
    assert (status, refused["code"], refused["detail"]["cause"]) == (403, "not_paired", "pairing_closed")
    assert hub.ask("POST", "/v1/pairing/open", {})[1]["is_open"]
    facts = {"name": "Laptop", "platform": "linux"}
    status, request = device.ask("observe", "write", facts=facts)
    assert (status, request["state"]) == (201, "pending")
    assert request["fingerprint"] == signatures.fingerprint(device.key)
    assert [each["id"] for each in hub.ask("GET", "/v1/devices/requests")[1]["requests"]] == [request["id"]]
    outcome = f"/v1/devices/requests/{request['id']}/outcome"
    assert hub.ask("GET", outcome, token="")[1]["state"] == "pending"
    decided, approval = {"digest": request["digest"]}, f"/v1/devices/requests/{request['id']}/approve"
    status, made = hub.ask("POST", approval, decided)
    assert (status, made["fingerprint"], made["facts"]) == (200, request["fingerprint"], facts)
    assert hub.ask("POST", approval, decided)[0] == 409
    assert hub.ask("GET", outcome + "?wait=5", token="")[1]["state"] == "approved"
    status, session = device.sign_in()
    assert (status, session["scopes"]) == (200, ["observe", "write"])
    assert hub.ask("GET", "/v1/me", token=session["token"])[1]["principal"]["id"] == f"dev_{device.id}"
    assert hub.ask("GET", f"/v1/devices/{device.id}", token=session["token"])[0] == 200
    stream = http.client.HTTPConnection(hub.url.removeprefix("http://"))
    stream.request("GET", "/v1/events/stream", headers={"Authorization": f"Bearer {session['token']}"})
    answer = stream.getresponse()
    assert answer.status == 200
    assert hub.ask("POST", f"/v1/devices/{device.id}/revoke", {})[0] == 200
    answer.read()  # until the hub ends it
    stream.close()
    assert hub.ask("GET", "/v1/me", token=session["token"])[0] == 401
    assert device.sign_in()[1]["code"] == "device_revoked"
    assert device.ask("observe")[1]["code"] == "device_revoked"
    assert hub.ask("DELETE", f"/v1/devices/{device.id}")[0] == 200
    assert device.ask("observe")[1]["state"] == "pending"
    recorded = [
        each["audit"]["operation"]
        for each in hub.ask("GET", "/v1/events?limit=500")[1]["events"]
        if each["type"] == "audit.recorded"
    ]
    assert recorded == ["pairing.open", "devices.approve", "devices.revoke", "devices.remove"]


def test_a_hub_is_known_again_by_its_key(hub: RunningHub) -> None:
    device = Device(hub)
    first = device.challenge()
    status, request = device.ask("observe", token=hub.operator_token)
    assert (status, request["state"], request["is_silent"]) == (201, "approved", True)
    assert hub.ask("POST", "/v1/pairing/open", {})[1]["is_open"]
    hub.stop()
    hub.start()
    second = device.challenge()
    assert (first["hub_id"], first["hub_fingerprint"]) == (second["hub_id"], second["hub_fingerprint"])
    assert not hub.ask("GET", "/v1/pairing")[1]["is_open"]
    assert device.sign_in("observe")[0] == 200
    assert device.sign_in("write")[1]["detail"]["cause"] == "scope-upgrade"


def test_a_code_lets_a_client_without_a_key_in(hub: RunningHub) -> None:
    _, code = hub.ask("POST", "/v1/pairing/codes", {"scopes": ["observe"], "name": "Phone"})
    status, made = hub.ask("POST", "/v1/devices/use-code", {"code": code["code"]}, token="")
    assert status == 201
    assert hub.ask("GET", "/v1/me", token=made["token"])[1]["scopes"] == ["observe"]
    assert hub.ask("POST", "/v1/devices/use-code", {"code": code["code"]}, token="")[0] == 401


def test_a_wrong_token_is_not_taken_for_none(hub: RunningHub) -> None:
    assert Device(hub).ask("observe", token="ik_wrong")[0] == 401
