"""One real hub for all tests of the command line, and the command line in this process or as one of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from instar.cli.main import main
from instar.client.access import find
from instar.client.errors import HubError
from instar.client.http import Client

BIN = Path(sys.executable).parent


class Hub(NamedTuple):
    """A running hub and how to reach it."""

    announcement: dict[str, Any]
    environ: dict[str, str]
    client: Client

    def ensure(self, operation: str, **params: Any) -> None:
        """Have something exist; that it exists already is fine."""
        try:
            self.client.invoke(operation, params)
        except HubError as error:
            if error.code != "conflict":
                raise


class Done(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def environment(home: Path) -> dict[str, str]:
    """Return an environment without settings from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTAR_", "XDG_"))}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "HOME": str(home), "PATH": path, "INSTAR_DATA_DIR": str(home / "hub"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("home")
    environ = environment(home)
    argv = [str(BIN / "instar"), "start", "--listen", "127.0.0.1:0", "--json", "--log-level", "warning"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said, (home / "log").read_text()
    url, token, _ = find(environ)
    yield Hub(json.loads(said), environ, Client(url, token))
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    process.stdout.close()
    assert (process.wait(timeout=20), rest) == (0, ""), (home / "log").read_text()


Cli = Callable[..., Done]


@pytest.fixture
def cli(hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """The command line in this process, against the real hub."""
    for name in list(os.environ):
        if name.startswith("INSTAR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSTAR_DATA_DIR", hub.environ["INSTAR_DATA_DIR"])
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Done:
        capsys.readouterr()
        code = main(argv)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run
