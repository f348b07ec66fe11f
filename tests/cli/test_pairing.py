"""Two machines and an encrypted hub: pairing as a new user does it, and every way in which it must not succeed."""

import io
import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from instar.cli.main import main
from instar.client import device
from instar.client.access import left_by_hub
from instar.client.http import Client
from instar.client.pins import Pin, keep_pin, pin_of
from instar.client.trust import Trust
from instar.hub.settings.tree import Settings
from instar.server import tls

from .conftest import BIN, Done, environment


class EncryptedHub:
    """A hub in a process of its own, every address of it encrypted; the port stays over restarts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {**environment(home), "INSTAR_TLS_MODE": "on"}
        self._port = 0
        self.start()

    @property
    def data_dir(self) -> Path:
        return self.home / "hub"

    def start(self) -> None:
        argv = [str(BIN / "instar"), "start", "--listen", f"127.0.0.1:{self._port}", "--json", "--log-level", "error"]
        self.process = subprocess.Popen(argv, env=self.environ, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.url, self.fingerprint = said["url"], said["fingerprint"]
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert self.process.wait(20) == 0

    @property
    def operator(self) -> Client:
        grant = (self.data_dir / "local-grant").read_text().strip()
        return Client(self.url, grant, trust=Trust(certificate=self.fingerprint))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedHub]:
    hub = EncryptedHub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.stop()


Machine = Callable[..., Done]


@pytest.fixture
def laptop(hub: EncryptedHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """The command line of a second machine, which knows nothing of the hub yet."""
    for name in list(os.environ):
        if name.startswith(("INSTAR_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Done:
        capsys.readouterr()
        code = main(argv)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


def memory(home: Path) -> Path:
    return home / ".config" / "instar"


def decide(hub: EncryptedHub, operation: str) -> threading.Thread:
    """Decide on the next request, as soon as there is one, as an operator at another terminal does."""
    hub.operator.invoke("pairing.open")

    def work() -> None:
        while not (waiting := hub.operator.invoke("devices.requests")["requests"]):
            pass
        hub.operator.invoke(operation, {"request_id": waiting[0]["id"]})

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def pair(hub: EncryptedHub, laptop: Machine, *argv: str, operation: str = "devices.approve") -> Done:
    thread = decide(hub, operation)
    done = laptop("pair", hub.url, *argv)
    thread.join()
    return done


def test_a_machine_is_paired_and_signs_in_by_its_key(hub: EncryptedHub, laptop: Machine, tmp_path: Path):
    done = pair(hub, laptop, "--fingerprint", hub.fingerprint, "--name", "laptop", "--json")
    assert done.code == 0, done.err
    own = done.document["device_id"]
    (known,) = [each for each in hub.operator.invoke("devices.list")["devices"] if each["id"] == own]
    assert f"This machine  {known['fingerprint']}\n" in done.err
    assert f"The hub's key {done.document['hub_key']}\n" in done.err
    assert hub.operator.invoke("pairing.status")["hub_fingerprint"] == done.document["hub_key"]
    assert "instar devices approve pair_" in done.err
    assert (known["facts"]["name"], done.document["scopes"]) == ("laptop", ["observe", "write"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in memory(tmp_path).iterdir()} == {0o600}
    assert laptop("rooms", "list", "--url", hub.url).code == 0
    again = laptop("pair", hub.url, "--json")
    assert (again.code, again.document["device_id"]) == (0, own)
    asked = laptop("status", "--url", hub.url, "--json")
    assert (asked.code, asked.document["error"]["code"]) == (4, "forbidden")


def test_a_stranger_is_refused_with_fingerprint_and_next_step(hub: EncryptedHub, laptop: Machine):
    for argv, step in ((["rooms", "list", "--url"], "instar pair"), (["pair"], "--fingerprint")):
        refused = laptop(*argv, hub.url, "--json")
        error = refused.document["error"]
        assert (refused.code, error["code"]) == (4, "hub_untrusted")
        assert hub.fingerprint in error["message"]
        assert step in error["hint"]


def test_a_wrong_fingerprint(hub: EncryptedHub, laptop: Machine, tmp_path: Path):
    refused = laptop("pair", hub.url, "--fingerprint", "SHA256:wrong", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (4, "hub_changed")
    assert hub.fingerprint in refused.document["error"]["message"]
    assert not (memory(tmp_path) / "hubs.json").exists()


def test_while_the_window_is_closed_nobody_asks(hub: EncryptedHub, laptop: Machine):
    hub.operator.invoke("pairing.close")
    refused = laptop("pair", hub.url, "--fingerprint", hub.fingerprint, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (4, "not_paired")
    assert "pairing enable" in refused.document["error"]["hint"]


def test_who_is_turned_away_is_told(hub: EncryptedHub, laptop: Machine, tmp_path: Path):
    done = pair(hub, laptop, "--fingerprint", hub.fingerprint, "--json", operation="devices.reject")
    assert (done.code, done.document["error"]["code"]) == (4, "forbidden")
    assert not (memory(tmp_path) / "hubs.json").exists()


def test_a_code_lets_in_without_a_key(
    hub: EncryptedHub, laptop: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    code = hub.operator.invoke("pairing.code", {"scopes": ["observe"], "name": "tablet"})["code"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{code}\n"))
    done = laptop("pair", hub.url, "--fingerprint", hub.fingerprint, "--code", "--json")
    assert done.code == 0, done.out
    assert done.document["scopes"] == ["observe"]
    assert code not in done.out + done.err
    assert laptop("rooms", "list", "--url", hub.url).code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{code}\n"))
    used = laptop("pair", hub.url, "--code", "--json")
    assert (used.code, used.document["error"]["code"]) == (4, "unauthorized")


def test_a_person_at_the_terminal_is_asked(hub: EncryptedHub, tmp_path: Path):
    pty = pytest.importorskip("pty")
    thread = decide(hub, "devices.approve")
    pid, terminal = pty.fork()
    if pid == 0:
        argv = [str(BIN / "instar"), "pair", hub.url, "--name", "at-a-terminal"]
        os.execve(argv[0], argv, {**environment(tmp_path), "TERM": "dumb"})
    seen = b""
    try:
        while chunk := os.read(terminal, 4096):
            seen += chunk
            if seen.rstrip().endswith(b"[y/N]:"):
                os.write(terminal, b"y\n")
    except OSError:
        pass
    os.close(terminal)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen.decode()
    assert hub.fingerprint.encode() in seen
    assert b"Paired with" in seen


class Listener:
    """A TLS server on a hub's old address, with a certificate of its own; remembers what it was sent."""

    def __init__(self, folder: Path, port: int) -> None:
        import socket

        self.received = b""
        self.certificate = tls.make(Settings(), folder)
        self._context = tls.context_of(self.certificate)
        self._listening = socket.create_server(("127.0.0.1", port))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            try:
                with plain, self._context.wrap_socket(plain, server_side=True) as encrypted:
                    self.received += encrypted.recv(65_536)
            except OSError:
                continue

    def close(self) -> None:
        import socket

        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.mark.parametrize("command", [["rooms", "list"], ["send", "general", "hi"], ["gateway", "probe"], ["pair"]])
def test_bar_2_a_hub_that_is_another_gets_no_credential(
    laptop: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
):
    """Row 2 of the bar, and a changed certificate: nothing is sent to who is not the hub that was paired."""
    rogue = Listener(tmp_path / "rogue", 0)
    try:
        keep_pin(os.environ, rogue.url, Pin("SHA256:the-real-one", hub_key="SHA256:k", device_id="x"))
        device.keep_session(os.environ, rogue.url, "idt_secret", "2999-01-01T00:00:00Z")
        monkeypatch.setenv("INSTAR_URL", rogue.url)
        refused = laptop(*command, "--json")
        error = refused.document["error"]
        assert (refused.code, error["code"]) == (4, "hub_changed")
        assert rogue.certificate.fingerprint in error["message"]
        assert "SHA256:the-real-one" in error["message"]
        assert rogue.received == b""
    finally:
        rogue.close()


@pytest.mark.parametrize("where", ["token", "session", "grant"])
def test_bar_2_a_credential_goes_to_no_other_address(
    hub: EncryptedHub, laptop: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    """Row 2 of the bar: whoever is named by --url gets nothing that belongs to another hub."""
    rogue = Listener(tmp_path / "rogue", 0)
    try:
        keep_pin(os.environ, rogue.url, Pin(rogue.certificate.fingerprint))
        device.keep_session(os.environ, rogue.url, "", "2999-01-01T00:00:00Z")
        if where == "token":
            monkeypatch.setenv("INSTAR_URL", hub.url)
            monkeypatch.setenv("INSTAR_TOKEN", "secret-of-the-hub")
        elif where == "session":
            device.keep_session(os.environ, hub.url, "secret-of-the-hub", "2999-01-01T00:00:00Z")
            keep_pin(os.environ, hub.url, Pin(hub.fingerprint))
        else:
            monkeypatch.setenv("INSTAR_DATA_DIR", str(hub.data_dir))
            assert left_by_hub(hub.data_dir).url == hub.url
        assert laptop("rooms", "list", "--url", rogue.url, "--json").code == 6
        secret = (hub.data_dir / "local-grant").read_bytes().strip()
        assert rogue.received.startswith(b"GET /v1/rooms")
        assert b"secret-of-the-hub" not in rogue.received
        assert secret not in rogue.received
        assert b"uthorization" not in rogue.received
    finally:
        rogue.close()


@pytest.fixture
def own_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedHub]:
    """A hub that the test may stop and start."""
    hub = EncryptedHub(tmp_path_factory.mktemp("own"))
    yield hub
    if hub.process.poll() is None:
        hub.stop()


@pytest.mark.parametrize("lost", ["certificate", "key"])
def test_a_hub_that_changed_is_refused_until_it_is_paired_again(
    own_hub: EncryptedHub, laptop: Machine, lost: str, tmp_path: Path
):
    assert pair(own_hub, laptop, "--fingerprint", own_hub.fingerprint, "--json").code == 0
    before = pin_of(os.environ, own_hub.url)
    own_hub.stop()
    if lost == "certificate":
        done = subprocess.run(
            [str(BIN / "instar"), "tls", "renew", "--yes", "--json"], env=own_hub.environ, capture_output=True,
            check=True,
        )  # fmt: skip
        renewed = json.loads(done.stdout)["fingerprint"]
    else:
        (own_hub.data_dir / "hub-key").unlink()
        (memory(tmp_path) / "hub-sessions.json").unlink()
        renewed = own_hub.fingerprint
    own_hub.start()
    assert own_hub.fingerprint == renewed
    refused = laptop("rooms", "list", "--url", own_hub.url, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (4, "hub_changed")
    assert "--again" in refused.document["error"]["hint"]
    assert laptop("pair", own_hub.url, "--fingerprint", renewed, "--json").code == 4
    own_hub.operator.invoke("pairing.open")
    assert laptop("pair", own_hub.url, "--fingerprint", renewed, "--again", "--json").code == 0
    after = pin_of(os.environ, own_hub.url)
    assert before != after
    assert laptop("rooms", "list", "--url", own_hub.url).code == 0


def test_the_local_operator_needs_no_pairing(hub: EncryptedHub, laptop: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INSTAR_DATA_DIR", str(hub.data_dir))
    assert laptop("status", "--json").document["url"] == hub.url
    assert laptop("tls", "fingerprint").out.strip() == hub.fingerprint
    assert laptop("tls", "fingerprint", hub.url).out.strip() == hub.fingerprint
    probed: dict[str, Any] = laptop("gateway", "probe", "--json").document
    assert probed["certificate"] == hub.fingerprint
    assert "operator.admin" in probed["scopes"]
    paired = laptop("pair", "--name", "same-machine", "--json")
    assert paired.code == 0, paired.out
    assert "Waiting" not in paired.err
