"""`instar gateway` against a real hub, over its WebSocket."""

import json
import os

import pytest
from msgspec import UNSET

from instar.client.errors import HubError, UnreachableError
from instar.client.gateway import Gateway, error_of
from instar.wire.gateway.frames import ErrorShape

from .conftest import Cli, Hub


def test_a_method_is_called_and_its_payload_printed(cli: Cli):
    assert cli("gateway", "call", "health", "--json").document["ok"] is True
    assert json.loads(cli("gateway", "call", "health").out)["ok"] is True
    history = cli("gateway", "call", "chat.history", "--params", '{"sessionKey":"main","limit":1}', "--json")
    assert history.document["sessionKey"] == "agent:guide:main"


def test_an_accepted_call_can_be_waited_out(cli: Cli):
    wanted = {"message": "hello", "agentId": "guide", "idempotencyKey": f"cli-{os.getpid()}"}
    early = cli("gateway", "call", "agent", "--params", json.dumps(wanted), "--json")
    assert early.document["status"] == "accepted", early
    wanted["idempotencyKey"] += "-final"
    final = cli("gateway", "call", "agent", "--params", json.dumps(wanted), "--final", "--json")
    assert final.document["status"] == "ok"


def test_health_status_and_probe_are_tables_for_people(cli: Cli):
    assert "ok    " in cli("gateway", "health").out
    assert "version" in cli("gateway", "status").out
    probed = cli("gateway", "probe", "--json").document
    assert (probed["protocol"], probed["role"]) == (4, "operator")
    assert probed["methods"] > 100
    assert "{" not in cli("gateway", "status").out


@pytest.mark.parametrize(
    ("argv", "code", "exit_code"),
    [
        (["call", "nonsense"], "not_found", 3),
        (["call", "health", "--params", "{"], "usage", 2),
        (["call", "health", "--params", "[]"], "usage", 2),
        (["call", "chat.history", "--params", '{"sessionKey":1}'], "bad_request", 2),
        (["health", "--url", "http://127.0.0.1:1"], "unreachable", 6),
    ],
)
def test_refusals_come_in_our_codes(cli: Cli, argv: list[str], code: str, exit_code: int):
    done = cli("gateway", *argv, "--json")
    assert (done.document["error"]["code"], done.code) == (code, exit_code), done.out


def test_a_wrong_token(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INSTAR_TOKEN", "ik_wrong")
    done = cli("gateway", "probe", "--json")
    assert (done.code, done.document["error"]["code"]) == (4, "unauthorized"), done.out
    assert "ik_wrong" not in done.out


def test_a_narrow_key_is_told_what_is_missing(cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch):
    made = hub.client.invoke("keys.create", {"name": "gw", "scopes": ["observe"], "expires_in_s": 60})
    monkeypatch.setenv("INSTAR_TOKEN", made["token"])
    assert cli("gateway", "probe", "--json").document["scopes"] == ["operator.read"]
    refused = cli("gateway", "call", "device.pair.list", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (4, "forbidden"), refused.out
    assert "operator." in refused.document["error"]["message"]


async def test_a_gateway_that_closes_is_unreachable(hub: Hub):
    gateway = Gateway(hub.client.url, (await _grant(hub)))
    async with gateway:
        assert gateway._socket is not None
        await gateway._socket.close()
        with pytest.raises(UnreachableError):
            await gateway.call("health")


async def _grant(hub: Hub) -> str:
    from instar.client.access import find

    return find(hub.environ).token


@pytest.mark.parametrize(
    ("shape", "code", "wait_s"),
    [
        (ErrorShape("UNAVAILABLE", "later", UNSET, True, 1_500), "service_unavailable", 1.5),
        (ErrorShape("INVALID_REQUEST", "no", {"code": "NOT_FOUND"}), "not_found", None),
        (ErrorShape("INVALID_REQUEST", "no", {"code": "AUTH_TOKEN_MISMATCH"}), "unauthorized", None),
        (ErrorShape("UNAVAILABLE", "no", {"code": "AUTH_RATE_LIMITED"}), "rate_limited", None),
        (ErrorShape("INVALID_REQUEST", "no", {"code": "SOMETHING_ELSE"}), "bad_request", None),
        (ErrorShape("UNHEARD_OF", "no"), "internal_error", None),
    ],
)
def test_what_a_gateway_says_in_our_codes(shape: ErrorShape, code: str, wait_s: float | None):
    error = error_of(shape)
    assert isinstance(error, HubError)
    assert (error.code, error.retry_after_s) == (code, wait_s)
    assert error.detail["gateway_code"] == shape.code
