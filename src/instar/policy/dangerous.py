"""The dangerous floor: commands that no rule lets run without a person, whoever wrote the rule.

It is no list of everything that does harm: it catches what is typed by mistake or by a misled model. What a rule does
not name asks anyway.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from .environment import why_never
from .words import words_of

_HOMES = frozenset(("~", "$HOME", "${HOME}", ".", "..", "*", "./*", "/", "/*"))
_SQL = re.compile(
    r"\b(?:DROP\s+(?:TABLE|DATABASE|SCHEMA|USER|INDEX|VIEW)|TRUNCATE\b|DELETE\s+FROM\s+\w+\s*(?:;|$))", re.I
)
_DEVICE = re.compile(r"/dev/(?!null$|zero$|stdin$|stdout$|stderr$|tty$|fd/)\S+")
_SQL_CLIENTS = words_of("psql mysql mariadb sqlite3 mongosh clickhouse-client sqlcmd duckdb cqlsh")
_BECOMING = words_of("sudo doas su pkexec run0 sudoedit runuser visudo")
_ERASING = words_of(
    "wipefs fdisk sfdisk cfdisk parted gdisk sgdisk mkswap blkdiscard hdparm cryptsetup lvremove vgremove "
    "pvremove badblocks debugfs tune2fs"
)
_STOPPING = words_of("shutdown reboot poweroff halt telinit init kexec")
_ACCOUNTS = words_of("userdel usermod groupdel passwd chpasswd chsh deluser visudo")
_SHELLS = words_of("sh bash dash zsh ksh ash fish csh tcsh python python3 perl ruby node php")
_FETCHING = words_of("curl wget fetch aria2c http https")


def floor_of(words: Sequence[str]) -> str:
    """Return the row of the floor that a command with these words meets, in words; empty: none."""
    if not words:
        return ""
    program = posixpath.basename(words[0]).lower()
    if program.startswith("mkfs") or program in _ERASING:
        return "it rewrites a disk"
    for group, reason in _GROUPS:
        if program in group:
            return reason
    row = _ROWS.get(program)
    return row(words[1:]) if row else ""


def floor_of_assignment(name: str) -> str:
    """Return the row of the floor that setting this variable for a command meets."""
    reason = why_never(name.rstrip("+"))
    return f"it sets {name}: {reason}" if "code" in reason or "account" in reason else ""


def floor_of_redirection(path: str) -> str:
    """Return the row of the floor that writing to this path meets."""
    return "it writes to a device" if _DEVICE.fullmatch(posixpath.normpath(path)) else ""


def floor_of_pipeline(programs: Sequence[str]) -> str:
    """Return the row of the floor that these programs, each reading what the one before wrote, meet."""
    names = [posixpath.basename(each).lower() for each in programs]
    fetches = next((at for at, name in enumerate(names) if name in _FETCHING), len(names))
    return "it runs what it fetches" if any(name in _SHELLS for name in names[fetches + 1 :]) else ""


def _options(args: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """Return the short options joined, the long ones, and the operands."""
    short = "".join(each[1:] for each in args if each.startswith("-") and not each.startswith("--"))
    long = [each for each in args if each.startswith("--") and len(each) > 2]
    return short, long, [each for each in args if not each.startswith("-")]


def _is_precious(path: str) -> bool:
    """Whether a path is the root, a folder right below it, a home, or what only the shell knows."""
    if path in _HOMES or path.startswith(("~", "$")):
        return True
    plain = posixpath.normpath(path)
    parts = [part for part in plain.split("/") if part]
    is_home = len(parts) == 2 and parts[0] in ("home", "Users", "root")
    return (plain.startswith("/") and (len(parts) < 2 or is_home)) or plain in (".", "..") or plain.endswith("/..")


def _rm(args: Sequence[str]) -> str:
    short, long, operands = _options(args)
    if any(each.startswith("--no-p") for each in long):
        return "it removes the root"
    is_recursive = "r" in short or "R" in short or any("--recursive".startswith(each) for each in long)
    return "it removes a whole tree at the root or a home" if is_recursive and any(map(_is_precious, operands)) else ""


def _dd(args: Sequence[str]) -> str:
    for each in args:
        name, _, path = each.partition("=")
        if name == "of" and _DEVICE.fullmatch(posixpath.normpath(path)):
            return "it rewrites a disk"
        if name == "if" and path in ("/dev/zero", "/dev/urandom", "/dev/random"):
            return "it writes zeros or noise without end"
    return ""


def _modes(args: Sequence[str]) -> str:
    short, long, operands = _options(args)
    is_recursive = "R" in short or any("--recursive".startswith(each) for each in long)
    wide = any(re.fullmatch(r"[0-7]?777|a[+=]rwx|\+rwx|[ugo]*s.*|[+=]s", each) for each in operands[:1])
    if any(map(_is_precious, operands[1:])) and (wide or is_recursive):
        return "it opens up or gives away the root or a home"
    return ""


def _git(args: Sequence[str]) -> str:
    rest = list(args)
    while rest and rest[0].startswith("-"):
        takes_value = rest[0] in ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env")
        rest = rest[2 if takes_value else 1 :]
    command, tail = (rest[0], rest[1:]) if rest else ("", [])
    row = _GIT.get(command)
    return row[1] if row and row[0](_Args(*_options(tail))) else ""


class _Args(NamedTuple):
    short: str
    long: list[str]
    rest: list[str]

    def has(self, letter: str, *long: str) -> bool:
        """Whether a short option, or one that begins as one of these, is there."""
        return letter in self.short or any(each.startswith(long) for each in self.long if long)


def _pushes_over(args: _Args) -> bool:
    forced = args.has("f", "--fo", "--mi", "--del", "--prune") or "d" in args.short
    return forced or any(each.startswith(("+", ":")) for each in args.rest)


def _drops_stash(args: _Args) -> bool:
    return args.rest[:1] in (["drop"], ["clear"])


def _discards(args: _Args) -> bool:
    return args.has("f", "--force", "--discard") or "." in args.rest


def _always(args: _Args) -> bool:  # noqa: ARG001 - the shape of a row
    return True


_GIT: Mapping[str, tuple[Callable[[_Args], bool], str]] = {
    "push": (_pushes_over, "it overwrites or removes what others have"),
    "reset": (lambda args: any(each.startswith(("--h", "--m", "--k")) for each in args.long), "it throws work away"),
    "clean": (lambda args: args.has("f", "--f"), "it removes files that git does not keep"),
    "stash": (_drops_stash, "it throws stashed work away"),
    "checkout": (_discards, "it throws work away"),
    "switch": (_discards, "it throws work away"),
    "restore": (_discards, "it throws work away"),
    "branch": (lambda args: "D" in args.short or args.has("f", "--force"), "it removes or moves a branch"),
    "filter-branch": (_always, "it rewrites history"),
    "filter-repo": (_always, "it rewrites history"),
    "reflog": (lambda args: args.rest[:1] in (["expire"], ["delete"]), "it forgets where work was"),
    "gc": (lambda args: any(each.startswith("--prune") for each in args.long), "it forgets where work was"),
    "update-ref": (_always, "it moves or removes a branch"),
    "worktree": (lambda args: args.rest[:1] == ["remove"] and args.has("f", "--force"), "it removes a working tree"),
}
"""Command of git → (what makes it dangerous, why)."""


def _words(*wanted: tuple[str, ...], reason: str) -> Callable[[Sequence[str]], str]:
    """Return a row that is met when all words of one group are among the arguments."""
    return lambda args: reason if any(all(word in args for word in group) for group in wanted) else ""


def _terraform(args: Sequence[str]) -> str:
    return "it destroys what it manages" if any(each in ("destroy", "-destroy", "--destroy") for each in args) else ""


def _find(args: Sequence[str]) -> str:
    return "it deletes what it finds" if "-delete" in args else ""


def _kill(args: Sequence[str]) -> str:
    return "it ends every process" if "-1" in args[1:] or list(args) == ["-1"] else ""


def _sql(args: Sequence[str]) -> str:
    return "it drops or empties tables" if any(_SQL.search(each) for each in args) else ""


def _shred(args: Sequence[str]) -> str:
    return "it rewrites a disk" if any(_DEVICE.fullmatch(each) for each in args) else ""


_GROUPS = (
    (_BECOMING, "it becomes another user"),
    (_STOPPING, "it stops the machine"),
    (_ACCOUNTS, "it changes accounts"),
)
_ROWS: Mapping[str, Callable[[Sequence[str]], str]] = MappingProxyType(
    {
        "rm": _rm, "dd": _dd, "chmod": _modes, "chown": _modes, "chgrp": _modes, "git": _git, "find": _find,
        "kill": _kill, "shred": _shred, "terraform": _terraform, "tofu": _terraform, "pulumi": _terraform,
        "docker": _words(("system", "prune"), ("volume", "prune"), ("--privileged",), reason="it removes what is kept"),
        "podman": _words(("system", "prune"), ("system", "reset"), reason="it removes what is kept"),
        "kubectl": _words(
            ("delete", "namespace"), ("delete", "ns"), ("delete", "--all"), ("delete", "namespaces"),
            reason="it deletes a whole namespace",
        ),
        "crontab": _words(("-r",), reason="it removes every schedule"),
        "iptables": _words(("-F",), ("--flush",), reason="it opens the firewall"),
        "killall5": lambda args: "it ends every process",  # noqa: ARG005 - the shape of a row
        **dict.fromkeys(_SQL_CLIENTS, _sql),
    }
)  # fmt: skip
"""Program → row."""
