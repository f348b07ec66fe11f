"""This machine as a device, against a real hub over TLS: it is let in once, and signs in by its key ever after."""

import json
import os
import secrets
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from instar.client import device, private_json
from instar.client.errors import HubError
from instar.client.folders import config_dir
from instar.client.http import Client
from instar.client.pins import Pin
from instar.client.trust import Trust
from instar.wire import signatures

INSTAR = Path(sys.executable).with_name("instar")


class Hub(NamedTuple):
    url: str
    trust: Trust
    operator: Client

    def stranger(self) -> Client:
        return Client(self.url, trust=self.trust)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [INSTAR, "start", "--json", "--listen", "127.0.0.1:0", "--set", "tls.mode=on", "--log-level", "warning"],
        env={**os.environ, "HOME": str(folder), "INSTAR_DATA_DIR": str(folder / "data")},
        stdout=subprocess.PIPE, stderr=log, text=True,
    )  # fmt: skip
    log.close()
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    trust = Trust(certificate=said["fingerprint"], source="the test")
    grant = (folder / "data" / "local-grant").read_text().strip()
    yield Hub(said["url"], trust, Client(said["url"], grant, trust=trust))
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(20) == 0, (folder / "log").read_text()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def let_in(hub: Hub, seed: bytes) -> Pin:
    """Ask as this machine and have it approved; return what is pinned then."""
    hub.operator.invoke("pairing.open")
    stranger = hub.stranger()
    handshake = device.begin(stranger, seed, Pin())
    request = ask(hub, seed, handshake)
    assert request["fingerprint"] == signatures.fingerprint(signatures.public_key_of(seed))
    hub.operator.invoke("devices.approve", {"request_id": request["id"], "digest": request["digest"]})
    own = signatures.device_id(signatures.public_key_of(seed))
    return Pin(hub.trust.certificate, handshake.hub_id, handshake.hub_key, own)


def ask(hub: Hub, seed: bytes, handshake: device.Handshake) -> dict[str, Any]:
    facts = device.own_facts("laptop")
    return device.ask(hub.stranger(), seed, handshake, role="operator", scopes=["observe"], facts=facts)


def test_the_key_is_made_once_and_kept_private(environ: dict[str, str]):
    seed = device.own_seed(environ)
    assert device.own_seed(environ) == seed
    assert len(seed) == 32
    path = config_dir(environ) / device.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(HubError, match="open to other users"):
        device.own_seed(environ)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(HubError, match="is no device key") as caught:
        device.own_seed(environ)
    assert caught.value.code == "unauthorized"


def test_a_machine_signs_in_by_its_key_and_keeps_the_session(hub: Hub, environ: dict[str, str]):
    pin = let_in(hub, device.own_seed(environ))
    member = device.Membership(environ, hub.stranger(), pin)
    token = member.token()
    assert member.token() == token
    who = Client(hub.url, token, trust=hub.trust).invoke("auth.whoami")
    assert (who["principal"]["kind"], who["scopes"]) == ("device", ["observe"])
    path = config_dir(environ) / device.SESSIONS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = private_json.read(path)
    (entry,) = kept.values()
    entry["expires_at"] = "2020-01-01T00:00:00Z"
    private_json.write(path, kept)
    assert member.token() != token


def test_a_session_that_was_lost_is_replaced_in_the_middle_of_a_command(hub: Hub, environ: dict[str, str]):
    member = device.Membership(environ, hub.stranger(), let_in(hub, device.own_seed(environ)))
    device.keep_session(environ, hub.url, "it_nonsense", "2999-01-01T00:00:00Z")
    client = Client(hub.url, member.token(), trust=hub.trust, renew=member.renew)
    assert client.invoke("auth.whoami")["principal"]["kind"] == "device"
    assert member.token() != "it_nonsense"


def test_a_revoked_machine_is_told_so(hub: Hub, environ: dict[str, str]):
    pin = let_in(hub, device.own_seed(environ))
    member = device.Membership(environ, hub.stranger(), pin)
    client = Client(hub.url, member.token(), trust=hub.trust, renew=member.renew)
    hub.operator.invoke("devices.revoke", {"device_id": pin.device_id})
    with pytest.raises(HubError) as caught:
        client.invoke("auth.whoami")
    assert caught.value.code == "device_revoked"


def test_another_hub_behind_the_same_address_is_refused(hub: Hub, environ: dict[str, str]):
    pin = Pin(hub_key="SHA256:other", device_id="x")
    with pytest.raises(HubError) as caught:
        device.Membership(environ, hub.stranger(), pin).token()
    assert caught.value.code == "hub_changed"
    assert caught.value.detail["expected"] == "SHA256:other"


class Relay(Client):
    """A hub whose answer to a challenge was tampered with on its way."""

    tampered: dict[str, str]

    def invoke(self, operation: str, params: Any = None, **more: Any) -> Any:
        return {**super().invoke(operation, params, **more), **self.tampered}


def _nonce() -> str:
    return signatures.to_base64url(secrets.token_bytes(32))


@pytest.mark.parametrize(
    "tampered",
    [
        {"nonce": _nonce()},
        {"hub_id": "0" * 64},
        {"hub_public_key": signatures.to_base64url(signatures.public_key_of(b"1" * 32))},
        {"signature": signatures.to_base64url(bytes(64))},
        {"nonce": "not base64!"},
    ],
)
def test_a_hub_that_does_not_prove_its_key_is_refused(hub: Hub, tampered: dict[str, str]):
    relay = Relay(hub.url, trust=hub.trust)
    relay.tampered = tampered
    with pytest.raises(HubError) as caught:
        device.begin(relay, secrets.token_bytes(32), Pin())
    assert caught.value.code == "bad_gateway"


def test_a_token_without_a_key_is_not_renewed(hub: Hub, environ: dict[str, str]):
    device.keep_session(environ, hub.url, "it_gone", "")
    member = device.Membership(environ, hub.stranger(), Pin())
    assert member.token() == "it_gone"
    with pytest.raises(HubError, match="without a key") as caught:
        member.renew()
    assert "instar pair" in caught.value.hint
    device.forget_session(environ, hub.url)
    with pytest.raises(HubError, match="without a key"):
        member.token()
