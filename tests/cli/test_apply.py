import json
from pathlib import Path

import pytest

from instar.cli.commands.apply import FIELDS, declared
from instar.client.errors import HubError
from instar.wire.rooms import ApplyAgent, ApplyRoom


@pytest.mark.parametrize("name", ["rooms.yaml", "rooms.json"])
def test_what_a_file_declares(tmp_path: Path, name: str):
    wanted = {"rooms": [{"id": "review", "members": ["beta"]}], "agents": [{"id": "beta"}]}
    (tmp_path / name).write_text(json.dumps(wanted))
    assert declared(tmp_path / name) == wanted


def test_of_a_moltnet_file_the_rooms_are_taken(tmp_path: Path):
    file = tmp_path / "Moltnet"
    file.write_text("version: moltnet.v1\nnetwork: {id: n}\nauth: {mode: bearer}\nrooms:\n  - {id: a, members: [b]}\n")
    assert declared(file) == {"rooms": [{"id": "a", "members": ["b"]}]}


@pytest.mark.parametrize(
    "text", ["rooms: [", "- a", "rooms: []\nroom: []", "\tx", "rooms: a", "rooms: [a]", "rooms: [{name: a}]"]
)
def test_a_bad_file(tmp_path: Path, text: str):
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(HubError) as caught:
        declared(tmp_path / "f.yaml")
    assert caught.value.code == "usage"


def test_a_binary_file(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HubError, match="UTF-8"):
        declared(tmp_path / "f")


def test_a_mistyped_field_is_refused_with_the_one_that_was_meant(tmp_path: Path):
    (tmp_path / "f.yaml").write_text("rooms:\n  - id: a\n    membrs: [b]\n")
    with pytest.raises(HubError, match="membrs") as caught:
        declared(tmp_path / "f.yaml")
    assert caught.value.hint == "Did you mean members?"


def test_a_malformed_file_is_refused_with_its_place(tmp_path: Path):
    (tmp_path / "f.yaml").write_text("rooms: [\n")
    with pytest.raises(HubError, match=r"cannot be read: line 2, column 1: "):
        declared(tmp_path / "f.yaml")


def test_an_empty_list_declares_nothing(tmp_path: Path):
    (tmp_path / "f.yaml").write_text("rooms:\nagents: []\n")
    assert declared(tmp_path / "f.yaml") == {"agents": []}


def test_the_fields_are_those_that_the_hub_takes():
    assert {"rooms": ApplyRoom.__struct_fields__, "agents": ApplyAgent.__struct_fields__} == FIELDS
