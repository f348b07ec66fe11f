"""SSH targets: machines that the hub reaches by itself, their keys and host keys."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from .identity import Id
from .limits import KNOWN_HOST_MAX_CHARS, SSH_HOST_MAX_CHARS, SSH_KEY_MAX_CHARS
from .operation import Nothing, ObjectKind, Operation, Route, Verb

Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Address = Annotated[str, Meta(min_length=1, max_length=SSH_HOST_MAX_CHARS)]
"""`user@host`, `host` or, in system mode, an alias of the user's ssh config. Never an option."""
Port = Annotated[int, Meta(ge=1, le=65_535)]


class SshMode(enum.StrEnum):
    """Who speaks SSH."""

    SYSTEM = "system"
    """The machine's OpenSSH client, with its own configuration, keys and agent."""
    MANAGED = "managed"
    """The hub itself, with a managed key and a pinned host key only."""


class SshKey(Struct, frozen=True, omit_defaults=True):
    """A managed key; its private half is encrypted at rest and never shown."""

    id: str
    name: str
    public_key: str
    fingerprint: str
    created_at: str
    targets: int = 0
    is_readable: bool = True
    """Whether the hub can decrypt it."""


class SshTarget(Struct, frozen=True, omit_defaults=True):
    """A machine that is reached by SSH."""

    id: str
    label: str
    address: str
    mode: SshMode
    created_at: str
    port: int | None = None
    key_id: str = ""
    key_name: str = ""
    known_host: str = ""
    """The pinned host keys, as known_hosts lines."""
    host_fingerprints: list[str] = []
    is_default: bool = False
    is_blocked: bool = False
    """The host showed another key than the pinned one; calls are refused until the pin is refreshed."""
    blocked_fingerprint: str = ""
    last_test: "SshTest | None" = None


class SshTest(Struct, frozen=True, omit_defaults=True):
    """What a connectivity test found."""

    ok: bool
    tested_at: str
    failure_code: str = ""
    """`host_key_changed`, `host_key_unknown`, `auth_failed`, `timeout`, `unreachable`, `key_unreadable` or
    `client_missing`."""
    message: str = ""
    hint: str = ""
    duration_s: float = 0.0


class GenerateKey(Struct):
    """Make an Ed25519 key."""

    name: Label


class ImportKey(Struct, omit_defaults=True):
    """Take a private key (OpenSSH or PEM); one that is protected needs its passphrase."""

    name: Label
    private_key: Annotated[str, Meta(min_length=1, max_length=SSH_KEY_MAX_CHARS)]
    passphrase: Annotated[str, Meta(max_length=1_024)] = ""


class SshKeyRef(Struct):
    """One managed key by its id or name."""

    ssh_key_id: Id


class SshKeyList(Struct, frozen=True):
    """Managed keys."""

    keys: list[SshKey]


class AddTarget(Struct, omit_defaults=True):
    """Name a machine."""

    label: Label
    address: Address
    port: Port | None = None
    mode: SshMode = SshMode.SYSTEM
    key: str = ""
    """Id or name of a managed key; needed in managed mode."""
    known_host: Annotated[str, Meta(max_length=KNOWN_HOST_MAX_CHARS)] = ""
    is_default: bool = False


class UpdateTarget(Struct, omit_defaults=True):
    """Change parts of a target; None keeps one as it is."""

    ssh_target_id: Id
    label: Label | None = None
    address: Address | None = None
    port: Port | None = None
    mode: SshMode | None = None
    key: str | None = None
    is_default: bool | None = None


class TargetRef(Struct):
    """One target by its id or label."""

    ssh_target_id: Id


class TargetList(Struct, frozen=True):
    """SSH targets, the default first."""

    targets: list[SshTarget]


class ScanHost(Struct, omit_defaults=True):
    """Ask a host for its keys. What the network says is not trusted by this: compare the fingerprints."""

    address: Address
    port: Port | None = None


class ScannedKey(Struct, frozen=True):
    """One host key."""

    kind: str
    fingerprint: str
    known_host: str


class ScannedHost(Struct, frozen=True):
    """What a host showed."""

    host: str
    port: int
    keys: list[ScannedKey]


class PinHost(Struct, omit_defaults=True):
    """Pin host keys: known_hosts lines, or what a scan shows now when its fingerprint is the one named."""

    ssh_target_id: Id
    known_host: Annotated[str, Meta(max_length=KNOWN_HOST_MAX_CHARS)] = ""
    fingerprint: str = ""
    """`SHA256:…` as somebody compared it; a scan that shows no such key pins nothing."""


KEYS = Operation(
    "ssh.keys", Nothing, SshKeyList, Verb.READ, ObjectKind.SSH, "List managed keys", Route("GET", "/v1/ssh/keys")
)
GENERATE = Operation(
    "ssh.generate_key", GenerateKey, SshKey, Verb.MANAGE, ObjectKind.SSH,
    "Make a managed key", Route("POST", "/v1/ssh/keys", 201), audited=True,
)  # fmt: skip
IMPORT = Operation(
    "ssh.import_key", ImportKey, SshKey, Verb.MANAGE, ObjectKind.SSH,
    "Take a private key", Route("POST", "/v1/ssh/keys/import", 201), audited=True,
)  # fmt: skip
REMOVE_KEY = Operation(
    "ssh.remove_key", SshKeyRef, SshKey, Verb.MANAGE, ObjectKind.SSH,
    "Remove a managed key that no target uses", Route("DELETE", "/v1/ssh/keys/{ssh_key_id}"), audited=True,
)  # fmt: skip
TARGETS = Operation(
    "ssh.targets", Nothing, TargetList, Verb.READ, ObjectKind.SSH, "List SSH targets", Route("GET", "/v1/ssh/targets")
)
ADD = Operation(
    "ssh.add_target", AddTarget, SshTarget, Verb.MANAGE, ObjectKind.SSH,
    "Name a machine that is reached by SSH", Route("POST", "/v1/ssh/targets", 201), audited=True,
)  # fmt: skip
UPDATE = Operation(
    "ssh.update_target", UpdateTarget, SshTarget, Verb.MANAGE, ObjectKind.SSH,
    "Change an SSH target", Route("PATCH", "/v1/ssh/targets/{ssh_target_id}"), audited=True,
)  # fmt: skip
REMOVE = Operation(
    "ssh.remove_target", TargetRef, SshTarget, Verb.MANAGE, ObjectKind.SSH,
    "Forget an SSH target", Route("DELETE", "/v1/ssh/targets/{ssh_target_id}"), audited=True,
)  # fmt: skip
TEST = Operation(
    "ssh.test", TargetRef, SshTest, Verb.MANAGE, ObjectKind.SSH,
    "Try to reach an SSH target", Route("POST", "/v1/ssh/targets/{ssh_target_id}/test"), audited=True,
)  # fmt: skip
SCAN = Operation(
    "ssh.scan", ScanHost, ScannedHost, Verb.MANAGE, ObjectKind.SSH,
    "Ask a host for its keys; nothing is trusted by it", Route("POST", "/v1/ssh/scan"), audited=True,
)  # fmt: skip
PIN = Operation(
    "ssh.pin", PinHost, SshTarget, Verb.MANAGE, ObjectKind.SSH,
    "Pin a target's host key, or refresh the pin", Route("PUT", "/v1/ssh/targets/{ssh_target_id}/pin"), audited=True,
)  # fmt: skip
UNPIN = Operation(
    "ssh.unpin", TargetRef, SshTarget, Verb.MANAGE, ObjectKind.SSH,
    "Clear a target's pinned host key", Route("DELETE", "/v1/ssh/targets/{ssh_target_id}/pin"), audited=True,
)  # fmt: skip

OPERATIONS = (KEYS, GENERATE, IMPORT, REMOVE_KEY, TARGETS, ADD, UPDATE, REMOVE, TEST, SCAN, PIN, UNPIN)
