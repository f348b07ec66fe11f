"""What this machine remembers as a node: which hub it serves, how it calls itself, where it works. Small and typed.

Everything lies in one folder, `node` in the folder of the client's own files, readable by its owner alone:

    node-key         the node's key, 32 bytes
    node.json        `NodeConfig`
    node-allow.json  what this machine ever permits (`instar.node.allow`)
    link.json        how it stands with its hub, while it runs (`instar.node.standing`)
    state/           the ledger of calls, kept output
    node.log         what the service writes
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from instar.base.errors import InstarError
from instar.client import private_json
from instar.client.folders import config_dir
from instar.wire.limits import (
    CALL_COMMAND_S,
    CALL_TIMEOUT_MAX_S,
    ID_PATTERN,
    NAME_MAX_CHARS,
    NODE_CALLS_MAX,
    NODE_LABELS_MAX,
    PATH_MAX_CHARS,
    URL_MAX_CHARS,
)
from instar.wire.nodes import LabelKey, LabelValue

FOLDER_VARIABLE = "INSTAR_NODE_DIR"
"""Names the folder, for more than one node on a machine."""


class NodeConfig(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One node: what `instar node join` was told, and how it knows its hub again."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_MAX_CHARS)]
    name: Annotated[str, Meta(max_length=NAME_MAX_CHARS)] = ""
    node_id: Annotated[str, Meta(pattern=rf"{ID_PATTERN}|^$")] = ""
    """An id of its own choice, shown beside the hub's; empty: none."""
    working_dir: Annotated[str, Meta(max_length=PATH_MAX_CHARS)] = ""
    """Where commands run that name no folder; empty: the account's home."""
    timeout_s: Annotated[float, Meta(gt=0, le=CALL_TIMEOUT_MAX_S)] = CALL_COMMAND_S
    """The longest run of a command that names no time, and of any that asks for more."""
    labels: Annotated[dict[LabelKey, LabelValue], Meta(max_length=NODE_LABELS_MAX)] = {}
    concurrency: Annotated[int, Meta(ge=1, le=NODE_CALLS_MAX)] = NODE_CALLS_MAX
    """Calls at once."""
    hub_id: str = ""
    hub_key: str = ""
    """Fingerprint of the hub's key: a hub that shows another one is refused."""
    certificate: str = ""
    """Fingerprint of the hub's certificate; empty: an authority vouches for it, or there is no TLS."""
    ca_file: str = ""
    device_id: str = ""
    """This node as the hub knows it: SHA-256 of its public key."""


class NodeFolder(NamedTuple):
    """Where this machine's node keeps its files."""

    path: Path

    @property
    def key(self) -> Path:
        """The node's key, mode 0600."""
        return self.path / "node-key"

    @property
    def config(self) -> Path:
        """What `load` reads, mode 0600."""
        return self.path / "node.json"

    @property
    def allow(self) -> Path:
        """The allow list, mode 0600."""
        return self.path / "node-allow.json"

    @property
    def standing(self) -> Path:
        """How the running node stands with its hub, mode 0600."""
        return self.path / "link.json"

    @property
    def state(self) -> Path:
        """The ledger of calls, and output that the hub has not taken yet."""
        return self.path / "state"

    @property
    def log(self) -> Path:
        """What the service writes."""
        return self.path / "node.log"


def folder_of(environ: Mapping[str, str]) -> NodeFolder:
    """Return the folder: INSTAR_NODE_DIR, else `node` in the folder of the client's own files."""
    if named := environ.get(FOLDER_VARIABLE):
        return NodeFolder(Path(named).expanduser())
    return NodeFolder(config_dir(environ) / "node")


def load(folder: NodeFolder) -> NodeConfig | None:
    """Return what was remembered; None: this machine is no node.

    Raises:
        InstarError: `unauthorized` for a file that others can get at, or that is none of ours.
    """
    content = private_json.read(folder.config)
    if not content:
        return None
    try:
        return msgspec.convert(content, NodeConfig)
    except msgspec.ValidationError as error:
        raise InstarError(
            "unauthorized", f"{folder.config} cannot be used: {error}", hint="Join again with `instar node join URL`."
        ) from error


def save(folder: NodeFolder, config: NodeConfig) -> None:
    """Remember a node in place of what was remembered, mode 0600.

    Raises:
        InstarError: `unauthorized` when it cannot be written; `unprocessable_entity` for a value that does not fit.
    """
    content = msgspec.to_builtins(config)
    try:
        msgspec.convert(content, NodeConfig)
    except msgspec.ValidationError as error:
        raise InstarError(
            "unprocessable_entity", f"this cannot be remembered of a node: {error}", hint="Give another value."
        ) from error
    private_json.write(folder.config, content)


def forget(folder: NodeFolder) -> bool:
    """Forget the node; its key stays. Return whether there was one."""
    existed = folder.config.exists()
    folder.config.unlink(missing_ok=True)
    return existed
