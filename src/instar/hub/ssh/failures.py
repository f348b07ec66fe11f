"""Why an SSH host could not be used: one vocabulary for the connectivity test, calls and both clients."""

import enum
import re
from collections.abc import Mapping
from typing import NamedTuple

from instar.base.errors import InstarError


class Failure(enum.StrEnum):
    """`SshTest.failure_code`."""

    HOST_KEY_CHANGED = "host_key_changed"
    HOST_KEY_UNKNOWN = "host_key_unknown"
    AUTH_FAILED = "auth_failed"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    KEY_UNREADABLE = "key_unreadable"
    CLIENT_MISSING = "client_missing"


HINTS: Mapping[Failure, str] = {
    Failure.HOST_KEY_CHANGED: "Find out why the key changed; if it was meant, refresh the pin: instar ssh pin {label}",
    Failure.HOST_KEY_UNKNOWN: "Look at its keys with `instar ssh scan {label}`, compare, then: instar ssh pin {label}",
    Failure.AUTH_FAILED: "Put the public key into authorized_keys on the host (`instar ssh keys show NAME`), and check"
    " the user.",
    Failure.TIMEOUT: "Check that the host is up, and that no firewall drops the connection.",
    Failure.UNREACHABLE: "Check the address and the port, and that an SSH server listens there.",
    Failure.KEY_UNREADABLE: "Restore `secrets-key`, or give the target another key.",
    Failure.CLIENT_MISSING: "Install OpenSSH's client (package openssh-client) on the hub, or use managed mode.",
}
"""What to do about each."""


class Refusal(NamedTuple):
    """A connection that did not come about; nothing ran."""

    failure: Failure
    message: str
    fingerprint: str = ""
    """Of the key that the host showed, where it was the host's key that was wrong."""

    def error(self, label: str) -> InstarError:
        """Return the error of a call: `host_key_changed`, `secret_unreadable` or `ssh_failed`."""
        code = {
            Failure.HOST_KEY_CHANGED: "host_key_changed",
            Failure.KEY_UNREADABLE: "secret_unreadable",
        }.get(self.failure, "ssh_failed")
        detail = {"failure_code": str(self.failure)} | ({"fingerprint": self.fingerprint} if self.fingerprint else {})
        hint = HINTS[self.failure].format(label=label)
        return InstarError(code, f"{label}: {self.message}", hint=hint, detail=detail)


class ConnectError(Exception):
    """A connection did not come about, and nothing ran."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


_SHOWN = re.compile(r"fingerprint for the \S+ key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]{43})")
_KEY_SEEN = re.compile(r"Server host key: \S+ (SHA256:[A-Za-z0-9+/]{43})")
_UNKNOWN = re.compile(r"No \S+ host key is known for|Host key verification failed|host key is not cached")
_AUTH = re.compile(r"Permission denied|Too many authentication failures|no mutual signature|No more authentication")
_TIME = re.compile(r"timed out|Timeout")


def read_log(log: str, *, is_pinned: bool) -> Refusal:
    """Return what OpenSSH's own log says about a connection that did not come about.

    Args:
        log: What `ssh -E` wrote; nothing of the host's output is in it.
        is_pinned: Whether only pinned keys were known to it: any other one is a change then.
    """
    shown = _SHOWN.search(log) or _KEY_SEEN.search(log)
    fingerprint = shown[1] if shown else ""
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in log or (is_pinned and _UNKNOWN.search(log)):
        return changed(fingerprint)
    if _UNKNOWN.search(log):
        return Refusal(Failure.HOST_KEY_UNKNOWN, "the hub does not know the host's key", fingerprint)
    if _AUTH.search(log):
        return Refusal(Failure.AUTH_FAILED, "the host refused the login")
    if _TIME.search(log):
        return Refusal(Failure.TIMEOUT, "the host did not answer in time")
    return Refusal(Failure.UNREACHABLE, _last_words(log) or "the connection could not be made")


def changed(fingerprint: str) -> Refusal:
    """Return the refusal of a host whose key is not a pinned one."""
    shown = f" ({fingerprint})" if fingerprint else ""
    return Refusal(Failure.HOST_KEY_CHANGED, f"the host showed another key{shown} than the pinned one", fingerprint)


def _last_words(log: str) -> str:
    told = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("debug")]
    return told[-1][:200].removeprefix("ssh: ") if told else ""
