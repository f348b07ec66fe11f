"""`instar ssh` and calls to an SSH target, against a real hub and a real sshd."""

import io
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.hub.ssh.daemon import Sshd, make_key, missing

from .conftest import Cli, Done, Hub


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Sshd]:
    """A daemon, its login key as the managed key `login`; no target is there before or after."""
    if cause := missing():
        pytest.skip(cause)
    daemon = Sshd(tmp_path_factory.mktemp("cli-sshd"))
    daemon.start()
    hub.ensure("ssh.import_key", name="login", private_key=daemon.login_key.read_text())
    yield daemon
    daemon.stop()


@pytest.fixture(autouse=True)
def _no_targets(hub: Hub) -> Iterator[None]:
    remove_targets(hub)
    yield
    remove_targets(hub)


def remove_targets(hub: Hub) -> None:
    for each in hub.client.invoke("ssh.targets")["targets"]:
        hub.client.invoke("ssh.remove_target", {"ssh_target_id": each["id"]})


def instar(hub: Hub, *argv: str) -> Done:
    """Run the command line as a process of its own."""
    done = subprocess.run(["instar", *argv], env=hub.environ, capture_output=True, text=True, check=False, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


def pinned(hub: Hub, sshd: Sshd) -> None:
    where = {"address": sshd.address, "port": sshd.port, "known_host": sshd.known_host}
    hub.ensure("ssh.add_target", label="remote", mode="managed", key="login", **where)


def test_a_call_goes_to_a_target_that_is_chosen_and_to_no_other(hub: Hub, sshd: Sshd):
    pinned(hub, sshd)
    for chosen in ("ssh:remote", "REMOTE", "ssh"):
        line = "echo to $SSH_CONNECTION; exit 3"
        done = instar(hub, "exec", "--yes", "--node", chosen, "--", "sh", "-c", line)
        assert (done.code, done.out.startswith("to 127.0.0.1 ")) == (3, True), done.err
    hub.client.invoke("routes.set", {"target": ""})
    done = instar(hub, "exec", "--yes", "--", "sh", "-c", "echo to $SSH_CONNECTION.")
    assert (done.code, done.out) == (0, "to .\n"), done.err


def test_a_changed_host_key_stops_calls_and_doctor_says_so(hub: Hub, sshd: Sshd, cli: Cli):
    pinned(hub, sshd)
    sshd.change_host_key()
    refused = instar(hub, "exec", "--yes", "--node", "ssh:remote", "--", "touch", "/tmp/never-made")
    assert refused.code != 0
    assert "host_key_changed" in refused.err
    assert "CHANGED: blocked" in cli("ssh").out
    assert "it showed" in cli("ssh", "show", "remote").out
    found = cli("doctor", "--only", "exec.ssh-route", "--json")
    assert (found.code, found.document["checks"][0]["status"]) == (8, "found")
    assert "instar ssh pin remote" in found.document["checks"][0]["cause"]
    tested = cli("ssh", "test", "remote")
    assert (tested.code, "host_key_changed" in tested.out) == (8, True)
    shown = cli("ssh", "scan", "remote", "--json").document["keys"][0]["fingerprint"]
    assert cli("ssh", "pin", "remote", "--fingerprint", shown).code == 0
    assert cli("ssh", "test", "remote").code == 0


def test_a_protected_key_needs_its_passphrase_on_standard_input(cli: Cli, tmp_path, monkeypatch: pytest.MonkeyPatch):
    if cause := missing():
        pytest.skip(cause)
    path = make_key(tmp_path / "protected", passphrase="open sesame")
    refused = cli("ssh", "keys", "import", "protected", str(path))
    assert (refused.code, "passphrase" in refused.err) == (2, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
    assert cli("ssh", "keys", "import", "protected", str(path), "--passphrase").code == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("open sesame\n"))
    taken = cli("ssh", "keys", "import", "protected", str(path), "--passphrase")
    assert (taken.code, "SHA256:" in taken.out) == (0, True), taken.err
    public = path.with_suffix(".pub").read_text().split()[1]
    assert public in cli("ssh", "keys", "show", "PROTECTED").out
    assert cli("ssh", "keys", "remove", "protected", "--yes").code == 0


def test_what_is_not_there_is_answered_with_a_near_name(cli: Cli, hub: Hub):
    hub.ensure("ssh.add_target", label="workshop", address="ops@workshop.example.org")
    assert "Did you mean workshop?" in cli("ssh", "show", "workshpo").err
    assert "instar ssh keys" in cli("ssh", "keys", "show", "no-such-key-at-all").err
    assert cli("ssh", "pin", "workshop").code == 2
    assert cli("ssh", "remove", "workshop").code == 2


@pytest.mark.parametrize("address", ["-oProxyCommand=id", "a b", "$(id)", "ops@-x"])
def test_a_bad_address_is_refused_with_the_next_step(cli: Cli, address: str):
    refused = cli("ssh", "add", "evil", "--", address)
    assert (refused.code, "user@host" in refused.err) == (2, True)


def test_only_a_hubs_data_is_reset(cli: Cli, tmp_path):
    refused = cli("secrets", "reset", "--data-dir", str(tmp_path / "none"), "--yes")
    assert (refused.code, (tmp_path / "none").exists()) == (3, False)
