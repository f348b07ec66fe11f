"""Conventions that hold without a hub: failures, forms, exit codes, the closed pipe."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from instar.cli import main as main_module
from instar.cli.main import main


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("INSTAR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSTAR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("INSTAR_DATA_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("argv", "code", "exit_code"),
    [
        (["send", "general", "hi"], "unreachable", 6),
        (["sned"], "usage", 2),
        (["rooms", "lst"], "usage", 2),
        (["send"], "usage", 2),
        (["send", "x:y", "hi"], "usage", 2),
        (["send", "general"], "usage", 2),
        (["rooms", "list", "--limit", "0"], "usage", 2),
        (["rooms", "remove", "general"], "usage", 2),
        (["keys", "create", "--name", "a", "--scope", "write", "--expires", "soon"], "usage", 2),
        (["inbox", "ack", "--agent", "a"], "usage", 2),
        (["agents", "resume"], "usage", 2),
        (["doctor", "--only", "nothing"], "usage", 2),
        (["start", "--set", "nonsense"], "usage", 2),
        (["status", "--token-file", "/nonexistent"], "unauthorized", 4),
    ],
)
def test_a_failure_is_one_document_with_code_and_hint(
    argv: list[str], code: str, exit_code: int, capsys: pytest.CaptureFixture[str]
):
    assert main([*argv, "--json"]) == exit_code
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["ok"] is False
    assert document["error"]["code"] == code
    assert document["error"]["message"]
    assert document["error"]["hint"]
    assert isinstance(document["error"]["retryable"], bool)
    assert err == ""


def test_a_failure_in_text_says_what_why_and_what_to_do(capsys: pytest.CaptureFixture[str]):
    assert main(["read", "general"]) == 6
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Error: could not read the last messages of a conversation: "
        "no hub answers at http://127.0.0.1:1 (Connection refused).\n"
        "  Start one with `instar start`, or set INSTAR_URL to its address.\n"
        "  Code: unreachable\n"
    )


@pytest.mark.parametrize("argv", [["-o", "json"], ["-ojsonl"], ["--output=json"], ["--output", "jsonl"]])
def test_every_spelling_of_json(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["rooms", "lst", *argv]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("argv", "near"),
    [(["sned"], "send"), (["rooms", "lst"], "list"), (["start", "--listn"], ""), (["--jsn"], "--json")],
)
def test_did_you_mean(argv: list[str], near: str, capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 2
    assert f"Did you mean {near}" if near else "--listen" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    plain = capsys.readouterr().out.strip()
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == plain
    assert main(["version", "-o", "none"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["rooms", "--help"], ["send", "-h"]])
def test_help(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 0
    assert capsys.readouterr().out.startswith("Example:\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    assert "_INSTAR_COMPLETE" in capsys.readouterr().out


def test_an_unknown_fault_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(main_module.ROOT, "main", fault)
    assert main(["status"]) == 1
    assert "RuntimeError: oops" in capsys.readouterr().err
    monkeypatch.setenv("INSTAR_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["status"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_an_interrupt(error: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupt(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main_module.ROOT, "main", interrupt)
    assert main(["tail", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "interrupted"


def run(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "import sys; from instar.cli.main import main; sys.exit(main())", *argv]
    return subprocess.run(program, text=True, stderr=subprocess.PIPE, check=False, **options)  # type: ignore[call-overload]


def test_a_closed_stdout_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    done = run(["--help"], stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_closed_stderr_keeps_stdout_whole():
    program = [sys.executable, "-c", "import sys; from instar.cli.main import main; sys.exit(main())", "version"]
    done = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *program], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("instar ")


@pytest.mark.parametrize(("variable", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(variable: dict[str, str], colored: bool):
    pty = pytest.importorskip("pty")
    program = "import sys; from instar.cli.main import main; sys.exit(main(['read', 'general']))"
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {"INSTAR_URL": "http://127.0.0.1:1", "TERM": "xterm", "HOME": "/nonexistent", **variable}
        os.execve(sys.executable, [sys.executable, "-c", program], environment)
    seen = b""
    try:
        while chunk := os.read(terminal, 4096):
            seen += chunk
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    assert (b"\x1b[" in seen) is colored
    os.close(terminal)
