"""Install the real `openclaw` command that the conformance tests run, as `conformance/openclaw` has it locked.

Its install scripts are not run: the command needs none of them, and no package shall run code here before its test.
"""

from build_console import ROOT, install

FOLDER = ROOT / "conformance" / "openclaw"

if __name__ == "__main__":
    install("--ignore-scripts", folder=FOLDER)
