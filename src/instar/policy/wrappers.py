"""Programs that run the program that their arguments name: which one that is, or why it cannot be said."""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from .words import words_of


class Unwrapped(NamedTuple):
    """What a wrapper runs."""

    argv: tuple[str, ...] = ()
    """A program with its arguments."""
    line: str = ""
    """A line for a shell."""
    assignments: tuple[str, ...] = ()
    """Variables that it sets for it, `NAME=VALUE`."""
    unclear: str = ""


class Prefix(NamedTuple):
    """A wrapper whose command follows its options."""

    valued: str = ""
    """Short options that take a value."""
    plain: str = ""
    """Short options that take none."""
    long: tuple[str, ...] = ()
    """Long options without a value, or with one after `=`."""
    operands: int = 0
    """Operands before the command."""
    assigns: bool = False


SHELLS = words_of("sh bash dash zsh ksh ash mksh yash rbash busybox-sh fish csh tcsh")
_OPAQUE = words_of(
    "parallel tmux screen script expect at batch crontab busybox toybox chroot unshare nsenter systemd-run "
    "runuser strace ltrace gdb valgrind perf entr socat xterm x-terminal-emulator konsole gnome-terminal "
    "start-stop-daemon daemonize setpriv capsh firejail bwrap proot fakeroot dbus-run-session xvfb-run "
    "run-parts rlwrap unbuffer catchsegv setarch linux32 linux64 i386 uname26 osascript pwsh powershell cmd "
    "nsjail cgexec numactl chpst softlimit envdir envuidgid setuidgid s6-setuidgid runsv tini dumb-init gosu "
    "su-exec chrt taskset ts-node-esm logrotate incrontab anacron inotifywait ssh-agent sg newgrp pkexec run0 "
    "watchexec nodemon pm2 forever supervisord immortal daemon cpulimit prlimit catatonit with-contenv direnv "
    "asdf mise nix-shell nix docker-compose-exec aws-vault op chamber"
)
_STATE = words_of(
    "alias unalias trap set shopt enable hash bind complete compopt compgen mapfile readarray let fc history "
    "jobs source . read coproc disown suspend caller getopts function select"
)
RESERVED = words_of("if then elif else fi while until do done for in case esac { } [[ ]] (( )) !")

PREFIXES: Mapping[str, Prefix] = MappingProxyType(
    {
        "nohup": Prefix(),
        "timeout": Prefix("ks", "v", ("--preserve-status", "--foreground", "--verbose", "--signal", "--kill-after"), 1),
        "gtimeout": Prefix("ks", "v", ("--preserve-status", "--foreground", "--verbose"), 1),
        "nice": Prefix("n", "0123456789", ("--adjustment",)),
        "ionice": Prefix("cn", "t", ("--class", "--classdata", "--ignore")),
        "setsid": Prefix("", "cfw", ("--ctty", "--fork", "--wait")),
        "stdbuf": Prefix("ioe", "", ("--input", "--output", "--error")),
        "time": Prefix("f", "pv", ("--portability", "--verbose", "--format")),
        "command": Prefix("", "pvV"),
        "builtin": Prefix(),
        "exec": Prefix("a", "cl"),
        "sudo": Prefix(
            "ughprtCDRTU", "AbEHknPSNB", ("--preserve-env", "--user", "--group", "--non-interactive"), 0, True
        ),
        "doas": Prefix("uC", "Ln"),
        "caffeinate": Prefix("tw", "disu"),
    }
)


def unwrap(words: Sequence[str]) -> Unwrapped | None:
    """Return what a command's program runs; None: it is no wrapper, it runs itself."""
    program = posixpath.basename(words[0])
    args = words[1:]
    if program in _STATE:
        return Unwrapped(unclear=f"`{program}` changes what the shell does next, or runs what it is given")
    if program in SHELLS:
        return _shell(program, args)
    if program in _OPAQUE:
        return Unwrapped(unclear=f"`{program}` runs what its arguments say")
    if program in PREFIXES:
        return _prefixed(program, args, PREFIXES[program])
    special = _SPECIAL.get(program)
    return special(args) if special else None


def is_runner(program: str) -> bool:
    """Whether a program runs whatever it is given: a rule `PROGRAM *` about it would allow everything."""
    name = posixpath.basename(program)
    base = name.rstrip("0123456789.")
    return name in SHELLS or name in _OPAQUE or name in PREFIXES or name in _SPECIAL or base in _INTERPRETERS


_INTERPRETERS = words_of(
    "python pypy perl ruby node nodejs php lua luajit tclsh Rscript julia groovy scala elixir racket guile "
    "sbcl swipl java dotnet npx bunx uvx pipx tsx ts-node psql mysql sqlite ftp telnet gdb awk gawk mawk nawk "
    "sed irb ipython bc dc"
)


def is_interpreter(program: str) -> bool:
    """Whether a program without operands runs what it reads as a program."""
    return program.rstrip("0123456789.") in _INTERPRETERS


def _shell(program: str, args: Sequence[str]) -> Unwrapped:
    rest = list(args)
    has_line = False
    while rest and rest[0].startswith(("-", "+")) and len(rest[0]) > 1:
        option = rest.pop(0)
        if option == "--":
            break
        if re.fullmatch(r"-[exuvnlifh]*c[exuvnlifh]*", option):
            has_line = True
        elif not re.fullmatch(r"[-+][exuvnlf]+|--(?:noprofile|norc|posix|login)", option):
            return Unwrapped(unclear=f"`{program} {option}` is not read")
    if not has_line:
        return Unwrapped(
            unclear=f"`{program}` runs a script that nobody read" if rest else f"`{program}` runs its input"
        )
    if not rest:
        return Unwrapped(unclear=f"`{program} -c` has no line")
    if program in ("fish", "csh", "tcsh"):
        return Unwrapped(unclear=f"`{program}` reads lines in another way")
    extra = "its line gets arguments" if len(rest) > 1 else ""
    return Unwrapped(line=rest[0], unclear=extra)


def _prefixed(program: str, args: Sequence[str], prefix: Prefix) -> Unwrapped:
    at = _after_options(args, prefix)
    if at is None:
        return Unwrapped(unclear=f"an option of `{program}` is not read")
    at += prefix.operands
    assigned: list[str] = []
    while prefix.assigns and at < len(args) and _is_assignment(args[at]):
        assigned.append(args[at])
        at += 1
    if at >= len(args):
        return Unwrapped(assignments=tuple(assigned), unclear=f"`{program}` has no command")
    return Unwrapped(tuple(args[at:]), assignments=tuple(assigned))


def _after_options(args: Sequence[str], prefix: Prefix) -> int | None:
    """Return where the options end; None: one of them is not known."""
    at = 0
    while at < len(args) and args[at].startswith("-") and args[at] != "-":
        word = args[at]
        at += 1
        if word == "--":
            return at
        if word.startswith("--"):
            if word.split("=", 1)[0] not in prefix.long:
                return None
            continue
        taken = _taken(word[1:], prefix)
        if taken is None:
            return None
        at += taken
    return at


def _taken(letters: str, prefix: Prefix) -> int | None:
    """Return how many further words a cluster of short options takes; None: one of them is not known."""
    for at, letter in enumerate(letters):
        if letter in prefix.valued:
            return 0 if at + 1 < len(letters) else 1
        if letter not in prefix.plain:
            return None
    return 0


def _is_assignment(word: str) -> bool:
    return re.match(r"[A-Za-z_][A-Za-z0-9_]*=", word) is not None


def _env(args: Sequence[str]) -> Unwrapped:
    prefix = Prefix("uC", "i0v", ("--ignore-environment", "--null", "--unset", "--chdir", "--debug"))
    if any(word.startswith(("-S", "--split", "-iS", "-vS", "--s")) for word in args):
        return Unwrapped(unclear="`env -S` splits its argument into a command")
    at = _after_options(args, prefix)
    if at is None:
        return Unwrapped(unclear="an option of `env` is not read")
    assigned: list[str] = []
    while at < len(args) and (_is_assignment(args[at]) or args[at] == "-"):
        assigned += [args[at]] if args[at] != "-" else []
        at += 1
    if at < len(args) and "=" in args[at]:
        return Unwrapped(unclear="`env` sets a variable with a strange name")
    return Unwrapped(tuple(args[at:]), assignments=tuple(assigned))


def _su(args: Sequence[str]) -> Unwrapped:
    for at, word in enumerate(args[:-1]):
        if word in ("-c", "--command", "-lc"):
            return Unwrapped(line=args[at + 1], unclear="`su` starts a shell of another user")
    return Unwrapped(unclear="`su` starts a shell of another user")


def _xargs(args: Sequence[str]) -> Unwrapped:
    prefix = Prefix("IndPaELs", "0rtxpo", ("--null", "--no-run-if-empty", "--verbose", "--max-args", "--max-procs"))
    at = _after_options(args, prefix)
    inner = tuple(args[at:]) if at is not None else ()
    return Unwrapped(inner, unclear="`xargs` adds arguments that nobody has seen")


def _find(args: Sequence[str]) -> Unwrapped | None:
    for at, word in enumerate(args):
        if word in ("-exec", "-execdir", "-ok", "-okdir"):
            inner = list(args[at + 1 :])
            end = next((end for end, each in enumerate(inner) if each in (";", "+")), len(inner))
            return Unwrapped(tuple(inner[:end]), unclear=f"`find {word}` runs a program on what it finds")
        if word.startswith(("-fprint", "-fls", "-delete", "-files0-from")):
            return Unwrapped(unclear=f"`find {word}` writes or deletes what it finds")
    return None


def _ssh(args: Sequence[str]) -> Unwrapped:
    prefix = Prefix("pliBbcJmQSw", "46AaCfGgKkMNnqsTtVvXxYy")
    at = _after_options(args, prefix)
    if at is None or at >= len(args):
        return Unwrapped(unclear="an option of `ssh` is not read")
    line = " ".join(args[at + 1 :])
    if not line:
        return Unwrapped(unclear="`ssh` opens a shell on another machine")
    return Unwrapped(line=line, unclear="another machine's shell reads it")


def _watch(args: Sequence[str]) -> Unwrapped:
    prefix = Prefix("n", "bcdeghptwx", ("--interval", "--differences", "--beep", "--color", "--no-title", "--exec"))
    at = _after_options(args, prefix)
    return Unwrapped(line=" ".join(args[at:]) if at is not None else "", unclear="`watch` runs a line again and again")


def _flock(args: Sequence[str]) -> Unwrapped:
    prefix = Prefix("wE", "sxenuFo", ("--shared", "--exclusive", "--nonblock", "--timeout", "--close", "--no-fork"))
    at = _after_options(args, prefix)
    if at is None or at + 1 >= len(args):
        return Unwrapped(unclear="an option of `flock` is not read")
    rest = args[at + 1 :]
    if rest[0] in ("-c", "--command"):
        return Unwrapped(
            line=rest[1] if len(rest) > 1 else "", unclear="" if len(rest) == 2 else "`flock -c` is not read"
        )
    return Unwrapped(tuple(rest))


def _eval(args: Sequence[str]) -> Unwrapped:
    return Unwrapped(line=" ".join(args))


_SPECIAL: Mapping[str, Callable[[Sequence[str]], Unwrapped | None]] = MappingProxyType(
    {
        "env": _env, "su": _su, "xargs": _xargs, "gxargs": _xargs, "find": _find, "ssh": _ssh, "watch": _watch,
        "flock": _flock, "eval": _eval,
    }
)  # fmt: skip
