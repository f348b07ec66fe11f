"""The allow list of the machine itself: its owner's alone, and true at once."""

import json
import os
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.node import allow
from instar.node.allow import Allowed, AllowList
from instar.wire.execution import Sandbox
from instar.wire.tools import TOOLS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "node-allow.json"


def test_a_missing_list_permits_nothing(path: Path):
    assert AllowList(path).current() == Allowed()
    assert Allowed().commands_of() == []


def test_globs_permit_tools(path: Path):
    allowed = Allowed(["read*", "list", "ex?c"])
    assert allowed.commands_of() == ["exec", "read_file", "list"]
    assert Allowed(["*"]).commands_of() == list(TOOLS)
    assert not allowed.permits("write_file")


def test_it_is_written_for_its_owner_and_read_again_when_it_changed(path: Path):
    wanted = Allowed(["*"], ["/srv"], ["CI_RUN"], Sandbox.STRICT)
    allow.save(path, wanted)
    assert path.stat().st_mode & 0o777 == 0o600
    listed = AllowList(path)
    assert listed.current() == wanted
    assert listed.current() is listed.current()
    allow.save(path, Allowed(["ping"]))
    assert listed.current().commands == ["ping"]
    path.unlink()
    assert listed.current().commands == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"commands": "*"}, "unprocessable_entity"),
        ({"command": ["*"]}, "unprocessable_entity"),
        ({"env": ["LD_PRELOAD"]}, "unprocessable_entity"),
        ({"env": ["AWS_SECRET_ACCESS_KEY"]}, "unprocessable_entity"),
        ({"roots": ["relative"]}, "unprocessable_entity"),
        ({"sandbox": "soft"}, "unprocessable_entity"),
        ([], "unauthorized"),
    ],
)
def test_what_cannot_be_used_permits_nothing(path: Path, content: object, code: str):
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    with pytest.raises(InstarError) as refused:
        AllowList(path).current()
    assert refused.value.code == code


def test_a_list_that_others_can_write_is_refused(path: Path):
    allow.save(path, Allowed(["*"]))
    listed = AllowList(path)
    listed.current()
    path.chmod(0o666)
    with pytest.raises(InstarError, match="open to other users"):
        listed.current()
    os.chmod(path, 0o600)  # noqa: PTH101 - as people do
    assert listed.current().commands == ["*"]


@pytest.mark.parametrize(
    "wanted", [Allowed(["x"] * 300), Allowed([""]), Allowed(env=["LD_PRELOAD"]), Allowed(roots=["x"])]
)
def test_what_cannot_be_permitted_is_not_written(path: Path, wanted: Allowed):
    with pytest.raises(InstarError) as refused:
        allow.save(path, wanted)
    assert refused.value.code == "unprocessable_entity"
    assert not path.exists()
