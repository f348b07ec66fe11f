"""The command line of OpenSSH's client, IO-free: a vector that no shell reads, with the address after `--`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from instar.wire.limits import SSH_CONNECT_S, SSH_KEEPALIVE_S

from .destinations import Destination
from .host_keys import HostKey

_KEPT = ("HOME", "PATH", "USER", "LOGNAME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "KRB5CCNAME")
"""What the client and the user's own configuration of it need. Nothing else of the hub's environment is passed."""
_ALWAYS = (
    # Clients older than OpenSSH 8.7 do not know these; what they would change is off there anyway.
    "IgnoreUnknown=KnownHostsCommand,SessionType,ForkAfterAuthentication,StdinNull",
    "BatchMode=yes",
    "NumberOfPasswordPrompts=0",
    "KbdInteractiveAuthentication=no",
    "PasswordAuthentication=no",
    f"ConnectTimeout={SSH_CONNECT_S:.0f}",
    "ConnectionAttempts=1",
    f"ServerAliveInterval={SSH_KEEPALIVE_S:.0f}",
    "ServerAliveCountMax=3",
    "LogLevel=DEBUG1",
    "EscapeChar=none",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "Tunnel=no",
    # A connection of its own, so that this host key is checked now and the call's end is the connection's.
    "ControlMaster=no",
    "ControlPath=none",
    "ControlPersist=no",
    "ForkAfterAuthentication=no",
    "StdinNull=no",
    "SessionType=default",
)
_PINNED = (
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "KnownHostsCommand=none",
    "VerifyHostKeyDNS=no",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "NoHostAuthenticationForLocalhost=no",
)


class Files(NamedTuple):
    """A private folder of one connection."""

    folder: Path

    @property
    def log(self) -> Path:
        """Where the client says what it does, apart from what the host says."""
        return self.folder / "log"

    @property
    def known_hosts(self) -> Path:
        """The pinned keys."""
        return self.folder / "known_hosts"


def command_line(
    client: Sequence[str], destination: Destination, alias: str, files: Files, *, is_pinned: bool, terminal: bool
) -> list[str]:
    """Return everything but the command itself, which is one further element.

    Args:
        client: The program, and options that come before ours and so win over them.
        destination: As `parse_destination` let it pass.
        alias: The name that pinned keys are filed under, so that no pattern of a line and no alias matters.
        files: The log, and the pinned keys.
        is_pinned: Only pinned keys are trusted; else the user's own policy decides.
        terminal: The command gets a terminal.
    """
    options = [*_ALWAYS, *(_PINNED if is_pinned else ())]
    if is_pinned:
        options += [f"HostKeyAlias={alias}", f"UserKnownHostsFile={files.known_hosts}"]
    port = ["-p", str(destination.port)] if destination.port else []
    flags = [flag for option in options for flag in ("-o", option)]
    return [*client, "-tt" if terminal else "-T", "-E", str(files.log), *flags, *port, "--", destination.address]


def known_hosts(alias: str, pins: Sequence[HostKey]) -> str:
    """Return the private known_hosts file: these keys under our own name, and nothing else."""
    return "".join(pin.line(alias) + "\n" for pin in pins)


def environment(own: Mapping[str, str], term: str) -> dict[str, str]:
    """Return the variables of the client process, out of the hub's own."""
    kept = {name: own[name] for name in _KEPT if name in own}
    return kept | ({"TERM": term} if term else {})
