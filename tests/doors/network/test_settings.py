"""Settings and logs over HTTP, of a hub in a process of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .running import RunningHub

CANARY = "canary-shared-secret-of-the-gateway"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text(CANARY)
    hub = RunningHub(tmp_path / "data", "bearer", "--token-file", str(tmp_path / "secret"))
    yield hub
    hub.stop()


def change(hub: RunningHub, **changes: Any) -> tuple[int, Any]:
    base_hash = hub.ask("GET", "/v1/settings")[1]["hash"]
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return hub.ask("PATCH", "/v1/settings", {"changes": named, "base_hash": base_hash})


def entries(hub: RunningHub, query: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in hub.ask("GET", f"/v1/logs{query}")[1]["lines"]]


def test_live_settings_hold_for_the_next_request(hub: RunningHub) -> None:
    assert hub.ask("POST", "/v1/uploads?filename=a.txt&media_type=text/plain", b"0123456789")[0] == 201
    assert change(hub, uploads__max_bytes=9)[1]["applied"] == ["uploads.max_bytes"]
    status, answer = hub.ask("POST", "/v1/uploads?filename=a.txt&media_type=text/plain", b"0123456789")
    assert (status, answer["code"]) == (413, "too_large")
    change(hub, uploads__max_bytes=None, uploads__media_types=["image/*"])
    assert hub.ask("POST", "/v1/uploads?filename=a.txt&media_type=text/plain", b"0123456789")[0] == 415


def test_a_limit_of_requests_holds_for_each_principal(hub: RunningHub) -> None:
    token = hub.key("k", "observe")
    change(hub, limits__requests_per_s=2.0)
    found = [hub.ask("GET", "/v1/rooms", token=token) for _ in range(9)]
    limited = [answer for status, answer in found if status == 429]
    assert limited
    assert {answer["code"] for answer in limited} == {"rate_limited"}
    assert {hub.ask("GET", "/healthz", token="")[0] for _ in range(9)} == {200}
    assert hub.ask("GET", "/v1/rooms")[0] == 200, "the operator has a bucket of its own"


def test_the_log_is_read_by_cursor_and_its_level_changes(hub: RunningHub) -> None:
    first = hub.ask("GET", "/v1/logs")[1]
    assert first["file"] == str(hub.data_dir / "logs" / "instar.log")
    change(hub, server__access_log=True)
    hub.ask("GET", "/v1/rooms")
    second = hub.ask("GET", f"/v1/logs?cursor={first['cursor']}")[1]
    assert "/v1/rooms" in [json.loads(line).get("path") for line in second["lines"]]
    assert not second.get("reset")
    change(hub, log__level="error")
    cursor = hub.ask("GET", "/v1/logs")[1]["cursor"]
    hub.ask("GET", "/v1/rooms")
    assert entries(hub, f"?cursor={cursor}") == []
    past = hub.ask("GET", "/v1/logs?cursor=99999999")[1]
    assert past["reset"] is True
    assert past["lines"]


def test_a_hub_without_a_log_says_so(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "data", "bearer", "--set", "log.file=false")
    status, answer = hub.ask("GET", "/v1/logs")
    assert (status, answer["code"]) == (501, "not_available")
    assert not (hub.data_dir / "logs").exists()
    hub.stop()


def test_settings_outlive_the_hub(hub: RunningHub) -> None:
    assert change(hub, network__name="Mine", log__level="debug")[1]["needs_restart"] == ["network.name"]
    hub.stop()
    hub.start()
    assert hub.ask("GET", "/v1/network")[1]["name"] == "Mine"
    found = {row["key"]: row for row in hub.ask("GET", "/v1/settings")[1]["settings"]}
    assert (found["network.name"]["origin"], found["log.level"]["value"]) == ("file", "debug")


def test_no_answer_and_no_line_holds_the_shared_secret(hub: RunningHub) -> None:
    change(hub, server__access_log=True, log__level="debug")
    said = [
        hub.ask("PATCH", "/v1/settings", {"changes": {key: CANARY}, "base_hash": ""})[1] for key in ("log.level", "x")
    ]
    said += [
        change(hub, auth__token=CANARY),
        hub.ask("PUT", "/v1/settings/file", {"text": f"auth: {{token: [{CANARY}", "base_hash": ""}),
    ]
    assert CANARY in json.dumps(said[0]), "what a caller sends of a key that is no secret comes back to it"
    places = ("", "/file", "/history", "/schema")
    shown: list[Any] = [said[2:], *(hub.ask("GET", f"/v1/settings{place}") for place in places)]
    shown += [
        hub.ask("GET", path) for path in ("/v1/events?limit=500", "/v1/audit", "/v1/logs", "/v1/status", "/metrics")
    ]
    hub.ask("GET", f"/v1/me?token={CANARY}", token=CANARY)
    assert CANARY not in str(shown)
    hub.stop()
    files = [path for path in hub.data_dir.rglob("*") if path.is_file()]
    assert [path.name for path in files if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in hub.data_dir.with_suffix(".log").read_text()
    hub.start()
