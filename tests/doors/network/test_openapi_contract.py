"""The served hub and its OpenAPI document agree: what the document allows is answered as the document says."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

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
    case.call_and_validate(
        base_url=hub.url,
        headers={"Authorization": f"Bearer {hub.operator_token}"},
        checks=list(CHECKED),
        timeout=10,
    )


@pytest.fixture(scope="module", autouse=True)
def no_fault(hub: RunningHub) -> Any:
    yield
    status, text = hub.ask("GET", "/metrics")
    assert status == 200
    told = text.decode() if isinstance(text, bytes) else str(text)
    assert all(line.endswith(" 0.0") for line in told.splitlines() if line.startswith("instar_faults_total"))
    assert "Traceback" not in hub.data_dir.with_suffix(".log").read_text()
