"""No read-scope output of the gateway ever holds a secret of the hub (row 38 of the security bar)."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from instar.wire.gateway.method import Generation
from instar.wire.gateway.methods import SERVED
from tests.doors.gateway.methods.talking import ALL, READ, Client, client, rpc
from tests.doors.gateway.serving import SECRET, Key, Serving, hello, serving

PASSWORD = "canary-password-of-ada-4711"
PARAMS: dict[str, dict[str, Any]] = {
    "agent.wait": {"runId": "r1", "timeoutMs": 0},
    "node.describe": {"nodeId": "nothing"},
    "chat.history": {"sessionKey": "main"},
    "chat.message.get": {"sessionKey": "main", "messageId": "r1"},
    "sessions.preview": {"keys": ["main"]},
    "sessions.resolve": {"key": "main"},
    "sessions.describe": {"key": "main"},
    "sessions.get": {"key": "main"},
    "sessions.search": {"query": "canary*"},
    "sessions.messages.subscribe": {"key": "main"},
    "sessions.messages.unsubscribe": {"key": "main"},
    "cron.get": {"id": "sch_heartbeat-x"},
    "cron.runs": {"id": "sch_heartbeat-x"},
    "config.schema.lookup": {"path": "auth"},
}
HANDS_OUT = {"device.token.rotate", "device.token.create"}
"""Methods whose very answer is a token."""

CHANGING = re.compile(
    r"(send|set|add|create|update|delete|remove|patch|apply|reset|inject|run|abort|approve|reject|rename|rotate|revoke"
    r"|enable|disable|event|wake|agent|heartbeats)$"
)
"""Last words of methods that change something."""


def reading(generation: Generation) -> list[str]:
    """Return every method that changes nothing."""
    return [
        name
        for name, row in SERVED.items()
        if generation in row.generations and name not in HANDS_OUT and not CHANGING.search(name.rpartition(".")[2])
    ]


def test_every_method_of_the_reading_scope_is_looked_at() -> None:
    for generation in Generation:
        scoped = {
            n for n, row in SERVED.items() if generation in row.generations and row.scope_for(generation) == READ[0]
        }
        assert scoped <= set(reading(generation)) | {"subscribe", "unsubscribe"}


async def seeded(hub: Serving) -> list[str]:
    """Give the hub every kind of secret it can have, and return them."""
    key = await hub.key("observe", "write")
    await hub.ask("POST", "/v1/people", {"login": "ada", "password": PASSWORD, "scopes": ["observe"]})
    agent = await hub.ask("POST", "/v1/agents/register", {"requested_agent_id": "beta", "issue_token": True})
    await hub.ask("POST", "/v1/pairing/open", {})
    async with hub.socket() as peer:
        asked = await peer.connect(hello("v4", auth={"token": SECRET}), device := Key())
    await hub.approve(asked["error"]["details"]["requestId"])
    async with hub.socket() as peer:
        token = (await peer.hello(hello("v4", auth={"token": SECRET}), device))["auth"]["deviceToken"]
    code = await hub.ask("POST", "/v1/pairing/codes", {"scopes": ["observe"]})
    link = await hub.ask("POST", "/v1/auth/console-link")
    assert (await rpc(hub, "device.token.create"))["ok"]
    return [SECRET, hub.operator, key, PASSWORD, agent["agent_token"], token, code["code"], link["url"].split("=")[-1]]


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_no_output_holds_a_secret(tmp_path: Path, generation: str) -> None:
    settings = tmp_path / "instar.yaml"
    settings.write_text(f"auth:\n  token: {SECRET}\n")
    settings.chmod(0o600)
    async with serving(tmp_path / "data", file=settings) as hub:
        secrets = await seeded(hub)
        told = ""
        for scopes in (READ, ALL):
            async with client(hub, *scopes, generation=generation) as one:
                told += await everything(one, Generation(generation))
        for name in reading(Generation.MOLTIS):
            told += json.dumps(await rpc(hub, name, PARAMS.get(name)))
    assert len(told) > 20_000
    assert all(len(secret) >= 8 for secret in secrets)
    found = [secret for secret in secrets if secret in told]
    assert not found


async def everything(one: Client, generation: Generation) -> str:
    """Return all that a client is told: answers, errors and events."""
    told = ""
    await one.peer.call("chat.send", {"sessionKey": "main", "message": "hi", "idempotencyKey": str(uuid.uuid4())})
    for name in reading(generation):
        told += json.dumps(await one.peer.call(name, PARAMS.get(name, {})))
    return told + json.dumps(one.peer.events)
