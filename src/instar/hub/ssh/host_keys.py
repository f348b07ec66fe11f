"""Host keys: read from known_hosts lines, compared, and written as lines of our own."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from hashlib import sha1, sha256
from typing import NamedTuple

from instar.base.errors import InstarError

from .destinations import Destination

KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""Kinds of host keys that can be pinned, the preferred first."""
_HOSTS = re.compile(r"[!-~]{1,1024}")
_BLOB = re.compile(r"[A-Za-z0-9+/]{16,4096}={0,2}")
_HINT = "Paste lines of a known_hosts file, as `ssh-keyscan HOST` prints them, after comparing their fingerprints."


class HostKey(NamedTuple):
    """One public key of a host."""

    kind: str
    blob: str
    """Base64 of the key, as in files."""

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as OpenSSH shows it."""
        return fingerprint_of(base64.b64decode(self.blob))

    def line(self, hosts: str) -> str:
        """Return the known_hosts line that says: these hosts have this key."""
        return f"{hosts} {self.kind} {self.blob}"


class KnownHost(NamedTuple):
    """One known_hosts line."""

    hosts: str
    key: HostKey

    def names(self, destination: Destination) -> bool:
        """Whether the line is about this host."""
        known_as = destination.known_as
        if self.hosts.startswith("|"):
            return _is_hashed(self.hosts, known_as)
        patterns = self.hosts.lower().split(",")
        refused = any(each[0:1] == "!" and fnmatchcase(known_as.lower(), each[1:]) for each in patterns)
        return not refused and any(_literally(each, known_as.lower()) for each in patterns)


def fingerprint_of(blob: bytes) -> str:
    """Return `SHA256:…` of a public key in SSH's own encoding."""
    return "SHA256:" + base64.b64encode(sha256(blob).digest()).decode().rstrip("=")


def parse_lines(text: str) -> list[KnownHost]:
    """Return the keys of known_hosts lines, plain or hashed; comments and empty lines are skipped.

    Raises:
        InstarError: `unprocessable_entity` names the line: no key, an unknown kind, a marker (`@cert-authority`,
            `@revoked`), or none at all.
    """
    found: list[KnownHost] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            found.append(_line(stripped, number))
    if not found:
        raise InstarError("unprocessable_entity", "there is no known_hosts line in it", hint=_HINT)
    return list(dict.fromkeys(found))


def joined(hosts: Iterable[KnownHost]) -> str:
    """Return lines of exactly these keys; comments are left out."""
    return "\n".join(each.key.line(each.hosts) for each in hosts)


def pinned_keys(known_host: str) -> Sequence[HostKey]:
    """Return the keys that stored lines pin; none when nothing is pinned."""
    return [each.key for each in parse_lines(known_host)] if known_host else []


def _line(line: str, number: int) -> KnownHost:
    words = line.split()
    if words[0].startswith("@"):
        raise _refused(number, f"it has the marker {words[0][:40]!r}, and only host keys can be pinned")
    if len(words) < 3:
        raise _refused(number, "it is not `HOSTS KIND KEY`")
    hosts, kind, blob = words[:3]
    if kind not in KINDS:
        raise _refused(number, f"{kind[:40]!r} is no kind of host key that can be pinned")
    if not line.isascii() or not line.isprintable() or not _HOSTS.fullmatch(hosts) or not _BLOB.fullmatch(blob):
        raise _refused(number, "it holds something else than printable ASCII and base64")
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise _refused(number, "its key is no base64") from error
    length = int.from_bytes(raw[:4], "big")
    if raw[4 : 4 + length] != kind.encode() or len(raw) <= 4 + length:
        raise _refused(number, f"its key is not of the kind {kind}")
    return KnownHost(hosts, HostKey(kind, base64.b64encode(raw).decode()))


def _literally(pattern: str, name: str) -> bool:
    """Whether a pattern names the host; brackets are themselves, as in OpenSSH."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _is_hashed(hosts: str, name: str) -> bool:
    parts = hosts.split("|")
    try:
        salt, digest = base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True)
    except (binascii.Error, IndexError):
        return False
    return parts[1] == "1" and hmac.compare_digest(hmac.new(salt, name.lower().encode(), sha1).digest(), digest)


def _refused(number: int, cause: str) -> InstarError:
    return InstarError("unprocessable_entity", f"line {number} cannot be pinned: {cause}", hint=_HINT)
