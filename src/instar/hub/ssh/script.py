"""What is sent to an SSH host: a script that no byte of a caller can leave, in a form that no login shell reads.

SSH hands one line to the account's login shell, whichever that is. So the line holds letters, digits and octal escapes
only; `sh` decodes it, and within the script every value stands in POSIX single quotes.
"""

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.wire.limits import CALL_KILL_GRACE_S, SSH_COMMAND_MAX_BYTES

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ./_=:,@+-")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SIGNALS = frozenset(
    ("ABRT", "ALRM", "CONT", "HUP", "INT", "KILL", "PIPE", "QUIT", "STOP", "TERM", "TSTP", "USR1", "USR2", "WINCH")
)
"""Signals that may be sent, by their POSIX names."""
CALL_VARIABLE = "INSTAR_CALL_ID"
"""What every process of a call has in its environment, so that a cancelled call's strays are found."""
_TENTHS = int(CALL_KILL_GRACE_S * 10)


class Mark(NamedTuple):
    """What the script says once it is about to become the program; nobody else can know it beforehand."""

    token: str

    @property
    def head(self) -> bytes:
        """What comes before the process id."""
        return f"instar-{self.token}:".encode()


def new_mark() -> Mark:
    """Return a mark that was never used."""
    return Mark(secrets.token_hex(16))


def encoded(script: str) -> str:
    """Return the line that makes a login shell run `script` with `sh`, as a login shell, in its own place.

    Raises:
        InstarError: `unprocessable_entity`: it is too long, or holds a NUL or what is no text.
    """
    try:
        content = script.encode()
    except UnicodeEncodeError as error:
        raise _refused("it holds what is no text") from error
    if b"\0" in content:
        raise _refused("it holds a NUL, which no command can")
    octal = "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in content)
    line = f'exec sh -lc \'eval "$(printf %b "{octal}")"\''
    if len(line) > SSH_COMMAND_MAX_BYTES:
        raise _refused(f"it takes {len(line):,} bytes, and an SSH host takes {SSH_COMMAND_MAX_BYTES:,}")
    return line


def program(
    call_id: str, mark: Mark, argv: Sequence[str], cwd: str, env: Mapping[str, str], *, has_terminal: bool = False
) -> str:
    """Return the script that becomes the program `argv` in `cwd` with `env`.

    It says the mark with its process id (which leads its process group) on each stream, then nothing of its own. A
    folder that is not there makes it say so instead, and run nothing.

    Raises:
        InstarError: `unprocessable_entity`: a name that is none, or a program that reads as an option.
    """
    if argv[0].startswith("-") or not argv[0]:
        raise _refused(f"{argv[0][:40]!r} is no name of a program")
    if bad := [name for name in env if not _NAME.fullmatch(name)]:
        raise _refused(f"{bad[0][:40]!r} is no name of a variable")
    head = mark.head.decode()

    def said(text: str) -> str:
        step = f'printf %s "{head}{text};"'
        return step if has_terminal else f"{step}; {step} >&2"

    words = [f"{CALL_VARIABLE}={shlex.quote(call_id)}", *(f"{name}={shlex.quote(env[name])}" for name in env)]
    steps = [f"unset {CALL_VARIABLE}"]
    if cwd:
        steps.append(f"CDPATH= cd -- {_folder(cwd)} >/dev/null 2>&1 || {{ {said('cwd')}; exit 1; }}")
    steps.append(f"export {' '.join(words)}")
    steps.append(said("$$"))
    steps.append("exec " + " ".join(map(shlex.quote, argv)))
    return "\n".join(steps)


def signal(pid: int, name: str) -> str:
    """Return the script that sends a signal to a call's process group.

    Raises:
        InstarError: `unprocessable_entity` for a signal that cannot be sent.
    """
    if name not in SIGNALS:
        raise _refused(f"{name[:40]!r} is no signal that can be sent: {', '.join(sorted(SIGNALS))}")
    return f"kill -s {name} -- -{pid}"


def killing(pid: int, call_id: str) -> str:
    """Return the script that ends a call's processes: its group, and where the system shows them, strays of it.

    It ends with status 0 once none of the group is left.
    """
    variable = shlex.quote(f"{CALL_VARIABLE}={call_id}")
    strays = (
        f"for f in $(grep -lsF {variable} /proc/[0-9]*/environ 2>/dev/null); do"
        ' p=${f#/proc/}; p=${p%/environ}; [ "$p" = "$$" ] || kill -s "$1" "$p" 2>/dev/null; done'
    )
    # What has ended but was not waited for is no process any more, so `ps` is asked where it knows the words.
    lives = (
        f"l=$(ps -A -o pgid= -o stat= 2>/dev/null) || {{ kill -s 0 -- -{pid} 2>/dev/null; return; }};"
        f' printf %s "$l" | grep -q "^ *{pid} *[^Z ]"'
    )
    steps = (
        f"strays() {{ {strays}; }}",
        f"lives() {{ {lives}; }}",
        _ending(pid, "TERM", _TENTHS),
        _ending(pid, "KILL", 10),
        "! lives",
    )
    return "\n".join(steps)


def _ending(pid: int, name: str, tenths: int) -> str:
    """Return the steps that send a signal to the group and to strays, and wait a while for the group's end."""
    return (
        f"kill -s {name} -- -{pid} 2>/dev/null; strays {name}; i=0\n"
        f"while lives && [ $i -lt {tenths} ]; do"
        " sleep 0.1 2>/dev/null || sleep 1; i=$((i+1)); done"
    )


def _folder(cwd: str) -> str:
    if cwd == "~" or cwd.startswith("~/"):
        return '"$HOME"' + (f"/{shlex.quote(cwd[2:])}" if cwd[2:] else "")
    # `cd -` and `cd ~user` mean something; a path does not begin so.
    return shlex.quote(cwd if cwd.startswith("/") else f"./{cwd}")


def _refused(cause: str) -> InstarError:
    return InstarError("unprocessable_entity", f"the command cannot be sent: {cause}", hint="Change the command.")
