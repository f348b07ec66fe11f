"""What a machine remembers as a node."""

from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.client import device
from instar.node import config
from instar.node.config import NodeConfig, NodeFolder


def test_the_folder_is_the_users_or_the_one_that_is_named(tmp_path: Path):
    assert config.folder_of({"INSTAR_NODE_DIR": str(tmp_path)}).path == tmp_path
    assert config.folder_of({"XDG_CONFIG_HOME": str(tmp_path)}).path == tmp_path / "instar" / "node"


def test_a_node_is_remembered_and_forgotten(tmp_path: Path):
    folder = NodeFolder(tmp_path / "node")
    assert config.load(folder) is None
    wanted = NodeConfig("http://hub:8787", "build", "b-1", "/srv", 60.0, {"gpu": "yes"}, hub_key="SHA256:x")
    config.save(folder, wanted)
    assert config.load(folder) == wanted
    assert folder.config.stat().st_mode & 0o777 == 0o600
    device.seed_at(folder.key)
    assert config.forget(folder)
    assert not config.forget(folder)
    assert folder.key.exists()


def test_what_is_none_of_ours_is_refused(tmp_path: Path):
    folder = NodeFolder(tmp_path)
    folder.config.write_text('{"url": "http://hub", "token": "secret"}')
    folder.config.chmod(0o600)
    with pytest.raises(InstarError, match="unknown field"):
        config.load(folder)
    folder.config.chmod(0o644)
    with pytest.raises(InstarError, match="open to other users"):
        config.load(folder)
    for wrong in (
        NodeConfig("http://hub", labels={"UP": "x"}),
        NodeConfig("http://hub", node_id="a b"),
        NodeConfig(""),
    ):
        with pytest.raises(InstarError) as refused:
            config.save(folder, wrong)
        assert refused.value.code == "unprocessable_entity"


def test_a_key_that_others_can_read_is_refused(tmp_path: Path):
    folder = NodeFolder(tmp_path)
    seed = device.seed_at(folder.key)
    assert device.seed_at(folder.key) == seed
    folder.key.chmod(0o644)
    with pytest.raises(InstarError, match="open to other users"):
        device.seed_at(folder.key)
