"""Canaries: secrets of every kind go in, none comes out, in either style and through the standard library too."""

import io
import json
import logging
from pathlib import Path

import pytest
import structlog

from instar.server.log_file import LogFile
from instar.server.logs import REDACTED, configure, redact, set_level

CANARIES = [
    "ik_CANARYcanary0123456789",
    "is_CANARYcanary0123456789",
    "il_CANARYcanary0123456789",
    "ip_CANARYcanary0123456789",
    "idt_CANARYcanary0123456789",
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


@pytest.mark.parametrize("style", ["json", "text"])
def test_lines_are_kept_in_a_file_as_json_without_secrets(tmp_path: Path, style: str) -> None:
    out = io.StringIO()
    file = LogFile(tmp_path / "instar.log")
    configure("info", style, out, file=file, secrets=["plain CANARY word", "CANARY\\d"])
    log = structlog.get_logger("t")
    log.info("it is plain CANARY word", nested={"plain CANARY word": ["CANARY\\d", 7]}, key=CANARIES[0])
    logging.getLogger("library").warning("says %s", "plain CANARY word")
    try:
        raise RuntimeError("plain CANARY word")
    except RuntimeError:
        log.exception("failed")
    file.close()
    kept = [json.loads(line) for line in (tmp_path / "instar.log").read_text().splitlines()]
    assert [one["event"] for one in kept] == [f"it is {REDACTED}", f"says {REDACTED}", "failed"]
    assert [one["level"] for one in kept] == ["info", "warning", "error"]
    assert "RuntimeError" in kept[2]["exception"]
    assert "CANARY" not in json.dumps(kept) + out.getvalue()


def test_the_level_changes_while_it_runs() -> None:
    out = io.StringIO()
    configure("error", "json", out)
    log = structlog.get_logger("t")
    library = logging.getLogger("library")
    for level in ("error", "debug", "warning"):
        set_level(level)
        for name in ("debug", "info", "warning", "error"):
            getattr(log, name)(f"{level}: {name}")
        library.warning("%s: of a library", level)
    said = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert said == [
        "error: error",
        "debug: debug", "debug: info", "debug: warning", "debug: error", "debug: of a library",
        "warning: warning", "warning: error", "warning: of a library",
    ]  # fmt: skip
