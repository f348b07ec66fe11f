import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.doors.gateway.serving import SECRET, Serving, serving

from .talking import READ, Client, client

REDACTED = "__OPENCLAW_REDACTED__"
FILE = f"""\
# the hub of the mill
auth:
  token: {SECRET}
limits:
  requests_per_s: 0
uploads:
  media_types: ["image/*", "text/*"]
"""


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[Serving, Path]]:
    """A hub with a settings file."""
    path = tmp_path / "instar.yaml"
    path.write_text(FILE)
    path.chmod(0o600)
    async with serving(tmp_path / "data", file=path) as hub:
        yield hub, path


async def got(one: Client) -> Any:
    return await one.ok("config.get")


async def test_the_file_is_shown_without_secrets(own: tuple[Serving, Path]) -> None:
    hub, path = own
    async with client(hub) as one:
        config = await got(one)
        assert (config["path"], config["exists"], config["valid"], config["issues"]) == (str(path), True, True, [])
        assert config["parsed"]["auth"] == {"token": REDACTED}
        assert json.loads(config["raw"]) == config["parsed"]
        assert config["config"]["auth"]["token"] == REDACTED
        assert config["config"]["runs"]["budget_s"] == 600.0
        assert SECRET not in json.dumps(config)
    async with client(hub, *READ) as reader:
        card = await got(reader)
        assert (card["restricted"], card["raw"], card["config"]) == (
            True, None, {"network": {"id": "local", "name": "Instar"}},
        )  # fmt: skip
        for method in ("config.schema", "config.set"):
            params = {"raw": "{}"} if method == "config.set" else {}
            assert (await reader.fails(method, **params))["message"] == "missing scope: operator.admin"


async def test_a_patch_merges_and_keeps_what_it_does_not_name(own: tuple[Serving, Path]) -> None:
    hub, path = own
    async with client(hub) as one:
        base = (await got(one))["hash"]
        done = await one.ok("config.patch", raw="{runs: {budget_s: 30}, /* more */ limits: null,}", baseHash=base)
        assert (done["ok"], done["config"]["runs"]["budget_s"], done["restart"]) == (True, 30.0, None)
        text = path.read_text()
        assert "# the hub of the mill" in text
        assert f"token: {SECRET}" in text
        assert "requests_per_s" not in text
        later = await one.ok("config.patch", raw='{"log": {"format": "json"}}', baseHash=done["hash"])
        assert later["restart"]["keys"] == ["log.format"]


async def test_set_writes_the_whole_and_a_secret_stays(own: tuple[Serving, Path]) -> None:
    hub, path = own
    async with client(hub) as one:
        config = await got(one)
        tree = config["parsed"] | {"delivery": {"attempts": 3}}
        tree.pop("uploads")
        done = await one.ok("config.set", raw=json.dumps(tree), baseHash=config["hash"])
        assert done["config"]["delivery"]["attempts"] == 3
        assert f"token: {SECRET}" in path.read_text()
        assert "media_types" not in path.read_text()
        same = await one.ok("config.apply", raw=json.dumps(tree), baseHash=done["hash"], note="nothing new")
        assert same["hash"] == done["hash"]


async def test_base_hashes(own: tuple[Serving, Path]) -> None:
    hub, path = own
    async with client(hub) as one:
        for method in ("config.set", "config.patch", "config.apply"):
            missing = await one.fails(method, raw="{}")
            assert missing["message"] == "config base hash required; re-run config.get and retry"
            stale = await one.fails(method, raw="{}", baseHash="0" * 64)
            assert stale["message"] == "config changed since last load; re-run config.get and retry"
    assert path.read_text() == FILE


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("{listen: {address: '0.0.0.0:1'}}", "on the hub's own machine only"),
        ("{auth: {mode: 'none'}}", "on the hub's own machine only"),
        ("{pairing: {auto_approve: 'off'}}", "on the hub's own machine only"),
        ("{runs: {budget_s: 'long'}}", "budget_s"),
        ("{no: {such: 1}}", "no setting"),
        ("[1]", "must be an object"),
        ("{open", "line 1"),
        ("{uploads: {media_types: ['image/*']}}", "would remove entries of uploads.media_types"),
    ],
)
async def test_what_is_refused_changes_nothing(own: tuple[Serving, Path], raw: str, says: str) -> None:
    hub, path = own
    async with client(hub) as one:
        error = await one.fails("config.patch", raw=raw, baseHash=(await got(one))["hash"])
        assert says in error["message"]
        assert SECRET not in json.dumps(error)
        assert path.read_text() == FILE


async def test_lists_lose_entries_where_that_is_said(own: tuple[Serving, Path]) -> None:
    hub, path = own
    async with client(hub) as one:
        await one.ok(
            "config.patch", raw="{uploads: {media_types: ['image/*']}}", baseHash=(await got(one))["hash"],
            replacePaths=["uploads.media_types"],
        )  # fmt: skip
        assert "text/*" not in path.read_text()


async def test_schema_and_places(own: tuple[Serving, Path]) -> None:
    hub, _ = own
    async with client(hub) as one:
        schema = await one.ok("config.schema")
        assert schema.keys() == {"schema", "uiHints", "version", "generatedAt"}
        assert schema["uiHints"]["auth.token"]["sensitive"] is True
        place = await one.ok("config.schema.lookup", path="runs")
        [child] = place["children"]
        assert (child["path"], child["hasChildren"], child["reloadKind"]) == ("runs.budget_s", False, "hot")
        leaf = await one.ok("config.schema.lookup", path="log.format")
        assert (leaf["reloadKind"], leaf["children"]) == ("restart", [])
        assert "not found" in (await one.fails("config.schema.lookup", path="no.such"))["message"]
