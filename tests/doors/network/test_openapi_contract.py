"""The served hub and its OpenAPI document agree: what the document allows is answered as the document says."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from faults.valid import PREPARATION, VALID, split
from instar.wire.table import TABLE

from .running import RunningHub

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs/reference/openapi.json").read_text())
CONFIG = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}, "generation": {"mode": "all"}})
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
EXAMPLES = 5
"""For each operation; all of them together stay below 300 requests and half a minute."""

CHECKED = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
)


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_documented(case: Any, hub: RunningHub) -> None:
    if case.query and "wait" in case.query:
        # A long poll that is allowed its minute keeps it.
        case.query["wait"] = 0
    validated(case, hub)


def validated(case: Any, hub: RunningHub) -> Any:
    headers = {"Authorization": f"Bearer {hub.operator_token}"}
    return case.call_and_validate(base_url=hub.url, headers=headers, checks=list(CHECKED), timeout=10)


@pytest.fixture(scope="module")
def place(hub: RunningHub) -> None:
    """What the valid requests name."""
    for method, path, body, status in PREPARATION:
        got, answer = hub.ask(method, path, body)
        assert got == status, (path, answer)


REFUSED = {
    "keys.revoke": 404,
    "keys.rotate": 404,
    "auth.exchange": 401,
    "auth.logout": 409,
    "auth.password": 401,
    "people.set_password": 404,
    "people.disable": 404,
    "people.enable": 404,
    "people.remove": 404,
    "devices.ask": 401,
    "devices.outcome": 404,
    "devices.sign_in": 401,
    "devices.use_code": 401,
    "devices.get": 404,
    "devices.approve": 404,
    "devices.reject": 404,
    "devices.rename": 404,
    "devices.rotate": 404,
    "devices.revoke": 404,
    "devices.remove": 404,
    "rooms.create": 409,
    "agents.remove": 404,
    "inbox.replay": 404,
    "runs.get": 404,
    "runs.cancel": 404,
    "approvals.get": 404,
    "approvals.approve": 404,
    "approvals.deny": 404,
    "approvals.remove_rule": 404,
    "nodes.approve": 404,
    "ssh.scan": 424,
    "calls.get": 404,
    "calls.cancel": 404,
    "calls.signal": 404,
    "calls.resize": 404,
    "calls.input": 404,
    "calls.output": 404,
    "settings.replace": 409,
    "settings.rollback": 409,
}
"""Valid requests that name what is not there, or is there already."""


@pytest.mark.parametrize("name", sorted(TABLE))
@pytest.mark.usefixtures("place")
def test_a_valid_request_is_answered_as_documented(name: str, hub: RunningHub) -> None:
    operation = TABLE[name]
    assert operation.route is not None
    path, query, body = split(operation, VALID[name])
    described = SCHEMA[operation.route.path][operation.route.method]
    segments = dict(zip(operation.route.path.split("/"), path.split("/"), strict=True))
    case = described.Case(
        path_parameters={part[1:-1]: unquote(value) for part, value in segments.items() if part[:1] == "{"},
        query=dict(parse_qsl(query)),
        **({"body": body, "media_type": "application/json"} if body else {}),
    )
    answer = validated(case, hub)
    success = {operation.route.status, operation.route.repeat_status or operation.route.status}
    assert answer.status_code in ({REFUSED[name]} if name in REFUSED else success), answer.content


@pytest.fixture(scope="module", autouse=True)
def no_fault(hub: RunningHub) -> Any:
    yield
    status, text = hub.ask("GET", "/metrics")
    assert status == 200
    told = text.decode() if isinstance(text, bytes) else str(text)
    assert all(line.endswith(" 0.0") for line in told.splitlines() if line.startswith("instar_faults_total"))
    assert "Traceback" not in hub.data_dir.with_suffix(".log").read_text()
