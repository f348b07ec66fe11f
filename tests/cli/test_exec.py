"""`instar exec` as a person and as a script use it: a real hub, its own machine as the node."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from instar.client.errors import HubError

from .conftest import BIN, Cli, Hub

WAIT_S = 20.0


def run(
    hub: Hub, *args: str, stdin: bytes | int = subprocess.DEVNULL, **more: Any
) -> "subprocess.CompletedProcess[bytes]":
    """Run `instar exec` as a process of its own; what it waits for it gets by --yes."""
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    argv = [str(BIN / "instar"), "exec", *args]
    return subprocess.run(argv, env=hub.environ, capture_output=True, check=False, timeout=60, **given, **more)


@contextmanager
def started(hub: Hub, *args: str, stdin: int = subprocess.DEVNULL) -> Generator[subprocess.Popen[bytes]]:
    """Run `instar exec` beside the test; what is left of it ends with the block."""
    argv = [str(BIN / "instar"), "exec", *args]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=hub.environ, stdin=stdin, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(stream: Any) -> bytes:
    """Return the next line of a process's output."""
    return stream.readline()


def latest(hub: Hub) -> Any:
    return hub.client.invoke("calls.list", {"limit": 1})["calls"][0]


def until(hub: Hub, call_id: str, *states: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while (call := hub.client.invoke("calls.get", {"call_id": call_id}))["state"] not in states:
        assert time.monotonic() < deadline, call
    return call


# Streams and ends


@pytest.mark.parametrize(
    ("args", "code", "out", "err"),
    [
        (("--", "printf", "%s|", "a b", "", "$HOME"), 0, b"a b||$HOME|", b""),
        (("printf", "-- %s", "-x"), 0, b"-- -x", b""),
        (("--shell", "echo out; echo err >&2; exit 3"), 3, b"out\n", b"err\n"),
        (("--", "sh", "-c", "kill -KILL $$"), 137, b"", b"SIGKILL"),
        (("--timeout", "0.3", "--", "sleep", "60"), 124, b"", b"its time was over"),
        (("--", "/no/such/program"), 127, b"", b"/no/such/program"),
        (("--node", "nowhere", "--", "true"), 125, b"", b"no_target"),
        (("--env", "LD_PRELOAD=x", "--", "true"), 125, b"", b"LD_PRELOAD"),
        (("--env", "LC_TEST=yes", "--shell", "echo $LC_TEST$SECRET"), 0, b"yes\n", b""),
        (("--cwd", "/usr", "--", "pwd"), 126, b"", b"/usr lies in no folder"),
    ],
)
def test_output_and_exit_codes(hub: Hub, args: tuple[str, ...], code: int, out: bytes, err: bytes):
    done = run(hub, "--yes", *args)
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    assert err in done.stderr
    if not err:
        assert done.stderr == b""


def test_input_and_output_are_exact(hub: Hub):
    content = os.urandom(1_000_003)
    done = run(hub, "--yes", "--", "cat", stdin=content)
    assert (done.returncode, done.stdout == content, done.stderr) == (0, True, b"")


def test_output_comes_as_it_is_written(hub: Hub):
    with started(hub, "--yes", "--shell", "echo first; read answer; echo $answer", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert line_of(process.stdout) == b"first\n"
        process.stdin.write(b"second\n")
        process.stdin.close()
        assert line_of(process.stdout) == b"second\n"
        assert process.wait(timeout=WAIT_S) == 0


def test_a_reader_that_goes_away_ends_the_call(hub: Hub):
    line = f"{BIN}/instar exec --yes --shell 'yes' < /dev/null | head -n 1"
    done = subprocess.run(["sh", "-c", line], env=hub.environ, capture_output=True, check=False, timeout=60)
    assert done.stdout == b"y\n"
    assert until(hub, latest(hub)["id"], "cancelled", "done")["state"] == "cancelled"


def test_json_is_one_document(hub: Hub):
    done = run(hub, "--yes", "--json", "--shell", "echo out; exit 4")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["exit_status"], document["stdout"]) == (4, "done", 4, "out\n")
    refused = run(hub, "--json", "--room", "nowhere", "--", "true")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (125, "not_found")


def test_a_command_line_that_says_nothing_is_a_mistake(cli: Cli):
    assert cli("exec").code == 2
    assert cli("exec", "--shell", "true", "--", "true").code == 2
    assert "instar exec --help" in cli("exec", "--nonsense").err


# Signals


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_call_and_all_that_it_started(hub: Hub, sent: signal.Signals, code: int):
    with started(hub, "--yes", "--shell", "sleep 60 & echo $!; wait") as process:
        child = int(line_of(process.stdout))
        process.send_signal(sent)
        assert process.wait(timeout=WAIT_S) == code
        assert process.stderr is not None
        assert b"Cancelling it" in process.stderr.read()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_second_signal_leaves_the_call_to_the_hub(hub: Hub):
    with started(hub, "--yes", "--shell", "trap '' TERM; echo on; sleep 60 & wait; wait") as process:
        assert process.stderr is not None
        assert line_of(process.stdout) == b"on\n"
        process.send_signal(signal.SIGINT)
        assert b"Cancelling it" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=WAIT_S) == 130
        assert b"instar calls show" in process.stderr.read()
    assert until(hub, latest(hub)["id"], "cancelled")["has_run"]


def test_a_background_call_goes_on_alone(hub: Hub):
    done = run(hub, "--yes", "--background", "--shell", "yes | head -c 100000; sleep 60")
    call_id = done.stdout.decode().removesuffix("\n")
    assert (done.returncode, call_id.startswith("call_"), call_id.isprintable()) == (0, True, True)
    assert until(hub, call_id, "dispatched", "streaming")["is_background"]
    hub.client.invoke("calls.cancel", {"call_id": call_id})


# Approvals


@contextmanager
def terminal(hub: Hub, *args: str, rows: int = 30, columns: int = 100) -> "Generator[Terminal]":
    """Run `instar …` at a terminal of its own."""
    pid, fd = pty.fork()
    if pid == 0:
        # Before the program looks: the person's side would come too late on a busy machine.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execve(BIN / "instar", ["instar", *args], {**hub.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"})
    seat = Terminal(pid, fd)
    try:
        yield seat
    finally:
        seat.close()


class Terminal:
    """The person's side of a terminal."""

    def __init__(self, pid: int, fd: int) -> None:
        self._pid = pid
        self._fd = fd
        self.seen = ""
        self._code: int | None = None

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def expect(self, pattern: str) -> str:
        """Read until `pattern` shows after what was expected before; return all since then."""
        deadline = time.monotonic() + WAIT_S
        while (found := re.search(pattern, self.seen)) is None:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._fd], [], [], left)[0]
            has_more = bool(ready) and self._read()
            assert has_more, f"{pattern!r} is not in {self.seen!r}"
        text, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return text

    def ended(self) -> int:
        """Return the exit code."""
        while self._read():
            pass
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code

    def _read(self) -> bool:
        try:
            content = os.read(self._fd, 65_536)
        except OSError:  # Linux says so when the other side is closed
            return False
        self.seen += content.decode(errors="replace")
        return bool(content)

    def close(self) -> None:
        os.close(self._fd)
        if self._code is None:
            os.waitpid(self._pid, 0)


def test_a_call_that_waits_is_shown_and_decided_at_the_terminal(hub: Hub, tmp_path: Path):
    script = tmp_path / "deploy.sh"
    script.write_text("echo deployed")
    with terminal(hub, "exec", "--env", "LC_TEST=yes", "--", "sh", str(script)) as seat:
        shown = seat.expect(r"\[n\] no: ")
        assert "waits for your approval" in shown
        assert f"Runs       sh {script}" in shown
        assert re.search(r"In +/", shown)
        assert "LC_TEST=yes" in shown
        assert f"{script}  operand" in shown
        assert re.search(r"sha256 [0-9a-f]{64}", shown)
        seat.type("y\n")
        seat.expect("deployed")
        assert seat.ended() == 0


def test_no_says_why(hub: Hub):
    with terminal(hub, "exec", "--", "touch", "/nowhere/at/all") as seat:
        seat.expect(r"\[n\] no: ")
        seat.type("n\n")
        seat.expect("Why not")
        seat.type("not today\n")
        seat.expect("It did not run")
        assert seat.ended() == 126
    denied = latest(hub)
    assert denied["error"]["code"] == "denied"
    assert "not today" in denied["error"]["message"] + denied["error"].get("hint", "")


def test_always_shows_its_rule_first_and_asks_no_more(hub: Hub):
    with terminal(hub, "exec", "--", "printf", "remember me") as seat:
        shown = seat.expect(r"\[n\] no: ")
        assert re.search(r"Always is +.*printf", shown)
        seat.type("a\n")
        assert seat.ended() == 0
        assert "remember me" in seat.seen
    done = run(hub, "--", "printf", "remember me")
    assert (done.returncode, done.stdout) == (0, b"remember me")
    for rule in hub.client.invoke("approvals.rules")["rules"]:
        if rule["layer"] == "remembered":
            hub.client.invoke("approvals.remove_rule", {"rule_id": rule["id"]})


@contextmanager
def key(hub: Hub, folder: Path, *scopes: str) -> Generator[str]:
    """Make a key of these scopes; yield the file that holds its token."""
    made = hub.client.invoke("keys.create", {"name": "runner", "scopes": scopes})
    token = folder / "token"
    token.write_text(made["token"])
    token.chmod(0o600)
    yield str(token)
    hub.client.invoke("keys.revoke", {"key_id": made["key"]["id"]})


def test_who_may_not_approve_is_told_who_can(hub: Hub, tmp_path: Path):
    with key(hub, tmp_path, "execute", "observe") as token:
        asks_in_vain(hub, token, tmp_path / "made")


def asks_in_vain(hub: Hub, token: str, made: Path) -> None:
    other = ("--url", hub.announcement["url"], "--token-file", token)
    with started(hub, *other, "--yes", "--", "touch", str(made)) as process:
        assert b"scope approve" in line_of(process.stderr)
        command = line_of(process.stderr).decode().split()
        assert command[:3] == ["instar", "approvals", "approve"]
        assert not made.exists()
        subprocess.run([str(BIN / "instar"), *command[1:], "--yes"], env=hub.environ, check=True, capture_output=True)
        assert process.wait(timeout=WAIT_S) == 0
    assert made.exists()


# Terminals


def test_a_terminal_has_its_size_and_takes_keys(hub: Hub):
    line = "stty size; read x; echo got $x; stty size; sleep 60"
    with terminal(hub, "exec", "-t", "--yes", "--shell", line) as seat:
        seat.expect(r"30 100")
        seat.resize(40, 120)
        seat.type("word\r")
        seat.expect(r"got word")
        seat.expect(r"\d+ \d+")
        seat.type("\x03")
        assert seat.ended() == 130


def test_a_person_leaves_a_terminal(hub: Hub):
    with terminal(hub, "shell", "local", "--yes") as seat:
        seat.expect(r"[$#] ")
        seat.type("echo $((6*7))\r")
        seat.expect("42")
        seat.type("\r~&")
        assert seat.ended() == 0
        assert "instar calls show" in seat.seen
    call = latest(hub)
    assert call["state"] in ("dispatched", "streaming")
    hub.client.invoke("calls.signal", {"call_id": call["id"], "signal": "HUP"})
    with terminal(hub, "exec", "-t", "--yes", "--shell", "echo on; cat") as seat:
        seat.expect("on")
        seat.type("~.")
        assert seat.ended() == 130
    assert until(hub, latest(hub)["id"], "cancelled")


def test_a_shell_reads_a_file_as_any_shell_does(hub: Hub):
    argv = [str(BIN / "instar"), "shell", "local", "--yes"]
    content = b"echo $((6*7))\nexit 5\n"
    done = subprocess.run(argv, env=hub.environ, input=content, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (5, b"42\n"), done.stderr


# Broken links


class Line:
    """A way to the hub that can be cut."""

    def __init__(self, hub: Hub) -> None:
        self._hub = ("127.0.0.1", int(hub.announcement["url"].rpartition(":")[2]))
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._begin(self._serve)

    def cut(self) -> None:
        """Break every connection; new ones are made at once."""
        for end in tuple(self._ends):
            _shut(end)

    def close(self) -> None:
        _shut(self._listener)
        self.cut()
        for thread in tuple(self._threads):
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _begin(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._hub)
                self._ends += [near, far]
                self._begin(_copy, near, far)
                self._begin(_copy, far, near)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(65_536):
            sink.sendall(content)
    _shut(source)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def test_a_cut_link_loses_and_doubles_nothing(hub: Hub, tmp_path: Path):
    line = Line(hub)
    with key(hub, tmp_path, "execute", "approve") as token:
        runs_through(line, hub, token)
    line.close()


def runs_through(line: Line, hub: Hub, token: str) -> None:
    script = "i=0; while [ $i -lt 40 ]; do echo $i; i=$((i+1)); sleep 0.05; done; cat"
    with started(
        hub, "--url", line.url, "--token-file", token, "--yes", "--shell", script, stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        seen = [line_of(process.stdout) for _ in range(5)]
        line.cut()
        seen += [line_of(process.stdout) for _ in range(10)]
        process.stdin.write(b"typed\n")
        process.stdin.flush()
        line.cut()
        process.stdin.close()
        assert process.stdout is not None
        assert b"".join(seen) + process.stdout.read() == b"".join(b"%d\n" % n for n in range(40)) + b"typed\n"
        assert process.wait(timeout=WAIT_S) == 0


# Explaining


def test_explain_runs_nothing(hub: Hub, cli: Cli):
    before = latest(hub)["id"]
    done = cli("exec", "--explain", "--node", "local", "--", "rm", "-rf", "/")
    assert done.code == 0
    assert re.search(r"call +local", done.out)
    assert "It would go to local" in done.out
    assert "It would " in done.out.splitlines()[-1]
    document = cli("exec", "--explain", "--json", "--", "true").document
    assert [step["by"] for step in document["route"]["steps"]][-1] == "local"
    lost = cli("exec", "--explain", "--node", "nowhere", "--", "true")
    assert (lost.code, "It would go nowhere" in lost.out) == (125, True)
    assert latest(hub)["id"] == before


def test_a_room_counts(hub: Hub, cli: Cli):
    hub.ensure("rooms.create", id="workshop", members=["guide"])
    hub.client.invoke("routes.set", {"room": "room:workshop", "target": "local"})
    assert "chosen by room" in cli("exec", "--explain", "--room", "workshop", "--", "true").out
    assert run(hub, "--yes", "--room", "workshop", "--", "true").returncode == 0
    assert latest(hub)["room"] == "room:workshop"
    with pytest.raises(HubError, match="nowhere"):
        hub.client.invoke("calls.route", {"room": "room:nowhere"})
