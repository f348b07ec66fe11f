"""Canaries: secrets of every kind go in, none comes out, in either style and through the standard library too."""

import io
import json
import logging

import pytest
import structlog

from instar.server.logs import REDACTED, configure, redact

CANARIES = [
    "ik_CANARYcanary0123456789",
    "is_CANARYcanary0123456789",
    "magt_v1_CANARYcanary012345",
    "Bearer CANARY.canary~0123",
]


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_gets_out(style: str, canary: str) -> None:
    out = io.StringIO()
    configure("debug", style, out)
    log = structlog.get_logger("t")
    log.info(
        " ".join(("event", "with", canary)),
        plain=canary,
        nested={"list": [canary, {"deep": (canary,)}]},
        raw=canary.encode(),
    )
    log.info("by name", token="CANARY", Authorization="CANARY", cookie="CANARY", access_token="CANARY", code="CANARY")
    log.info("deep", value={"a": {"b": {"c": {"d": {"e": {"f": {"g": canary}}}}}}}, odd=ValueError(canary))
    logging.getLogger("library").warning("says %s", canary)
    try:
        raise RuntimeError(canary)
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("library").exception("failed too")
    text = out.getvalue()
    assert "CANARY" not in text
    assert text.count(REDACTED) >= 10
    assert "RuntimeError" in text


def test_json_is_one_object_a_line_and_keeps_what_is_harmless() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    structlog.get_logger("t").info(
        "request", status=200, ok=True, ms=1.5, none=None, request_id="req_1", error_code="x"
    )
    structlog.get_logger("t").debug("unseen")
    (line,) = out.getvalue().splitlines()
    entry = json.loads(line)
    assert {entry[key] for key in ("event", "level", "request_id", "error_code")} == {"request", "info", "req_1", "x"}
    assert (entry["status"], entry["ok"], entry["ms"], entry["none"]) == (200, True, 1.5, None)
    assert entry["timestamp"].endswith("Z")


def test_short_look_alikes_stay() -> None:
    assert redact("is_ok and ik_x") == "is_ok and ik_x"
    assert redact({"tokens": 3, "codes": 1}) == {"tokens": 3, "codes": 1}


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    configure("info", "json", Full())
    structlog.get_logger("instar.test").error("nobody reads this")
    logging.getLogger("instar.test").error("nor this")


def test_auto_is_text_for_people_and_json_for_machines() -> None:
    out = io.StringIO()
    configure("info", "auto", out)
    structlog.get_logger("instar.test").info("hello")
    assert out.getvalue().startswith("{")
