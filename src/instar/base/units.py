"""Services of an operating system: how their definitions are written, and how the programs that run them are asked."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from .errors import InstarError

ASK_S = 30.0


class Outcome(NamedTuple):
    """What was done, for the CLI to print."""

    path: str
    is_installed: bool
    is_running: bool
    message: str
    hint: str = ""


Run = Callable[[Sequence[str]], tuple[int, str]]
"""Run a command; return its exit code and what it printed."""


def run_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run `command` without a shell; a program that is missing counts as exit code 127."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, text=True, timeout=ASK_S, check=False, env=environment
        )
    except FileNotFoundError:
        return 127, f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} did not answer"
    return done.returncode, (done.stdout + done.stderr).strip()


def systemd_word(word: str) -> str:
    """Quote a word of a unit: quotes, backslashes and specifiers (%). Variables ($) count in ExecStart= only.

    Raises:
        InstarError: `bad_request` for a word with a line break.
    """
    if "\n" in word or "\r" in word or "\0" in word:
        raise InstarError("bad_request", "a path or setting with a line break cannot stand in a unit")
    quoted = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{quoted}"'


def systemd_command(argv: Sequence[str]) -> str:
    """Return the value of ExecStart= that runs exactly these words.

    Raises:
        InstarError: As `systemd_word`.
    """
    return " ".join(systemd_word(word).replace("$", "$$") for word in argv)


def systemd_environment(environment: Mapping[str, str]) -> str:
    """Return the lines that set these variables.

    Raises:
        InstarError: As `systemd_word`.
    """
    return "".join(f"Environment={systemd_word(f'{key}={value}')}\n" for key, value in environment.items())


def plist_words(argv: Sequence[str]) -> str:
    """Return the array of these words in a property list."""
    words = "".join(f"    <string>{escape(word)}</string>\n" for word in argv)
    return f"  <array>\n{words}  </array>"


def plist_variables(environment: Mapping[str, str]) -> str:
    """Return the dictionary of these variables in a property list."""
    pairs = "".join(
        f"    <key>{escape(key)}</key>\n    <string>{escape(value)}</string>\n" for key, value in environment.items()
    )
    return f"  <dict>\n{pairs}  </dict>"
