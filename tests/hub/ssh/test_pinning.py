"""Who is believed: scans prove nothing, pins do; a host that shows another key is blocked until it is pinned anew."""

import asyncio
import subprocess
from functools import partial

import pytest

from instar.base.errors import InstarError
from instar.wire.ssh import SshMode

from .daemon import Sshd, make_key, missing

MODES = [SshMode.SYSTEM, SshMode.MANAGED]


async def run(*line):
    """Run a program beside the loop."""
    return await asyncio.to_thread(partial(subprocess.run, line, check=False, capture_output=True))


@pytest.fixture
def host(tmp_path):
    """A daemon of this test alone: its host key changes."""
    if cause := missing():
        pytest.skip(cause)
    daemon = Sshd(tmp_path / "host")
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
async def world(make_world, host):
    """Targets whose client may log in at this test's daemon."""
    return await make_world(host.client)


async def refusal(world, target):
    with pytest.raises(InstarError) as caught:
        await world.start(target, "exec", {"argv": ["true"]})
    return caught.value.code


@pytest.mark.parametrize("mode", MODES)
async def test_a_changed_host_key_blocks_until_it_is_pinned_anew(world, host, mode):
    target = await world.add(host, mode)
    assert (await world.shell(target, "true"))[0].exit_status == 0
    host.change_host_key()
    assert await refusal(world, target) == "host_key_changed"
    (found,) = (await world.do("targets")).targets
    assert found.is_blocked
    shown = (await world.do("scan", address=host.address, port=host.port)).keys[0]
    assert found.blocked_fingerprint == shown.fingerprint
    assert not world.ssh.nodes()[0].is_connected
    # Even a host that is itself again is not believed before somebody has looked.
    assert await refusal(world, target) == "host_key_changed"
    pinned = await world.do("pin", ssh_target_id=target.id, fingerprint=shown.fingerprint)
    assert (pinned.is_blocked, pinned.host_fingerprints) == (False, [shown.fingerprint])
    assert (await world.shell(target, "true"))[0].exit_status == 0


@pytest.mark.parametrize("mode", MODES)
async def test_a_test_says_what_is_wrong(world, host, mode):
    target = await world.add(host, mode)
    found = await world.do("test", ssh_target_id="box")
    assert (found.ok, found.failure_code) == (True, "")
    host.authorized.write_text("")
    assert (await world.do("test", ssh_target_id="box")).failure_code == "auth_failed"
    host.change_host_key()
    found = await world.do("test", ssh_target_id="box")
    assert (found.failure_code, "instar ssh pin box" in found.hint) == ("host_key_changed", True)
    (shown,) = (await world.do("targets")).targets
    assert (shown.is_blocked, shown.last_test) == (True, found)
    host.stop()
    await world.do("unpin", ssh_target_id=target.id)
    expected = "host_key_unknown" if mode is SshMode.MANAGED else "unreachable"
    assert (await world.do("test", ssh_target_id="box")).failure_code == expected


async def test_a_wrong_key_is_told_and_runs_nothing(world, host, tmp_path):
    stranger = make_key(tmp_path / "stranger").read_text()
    key = await world.do("import_key", name="stranger", private_key=stranger)
    target = await world.do(
        "add_target", label="box", address=host.address, port=host.port, mode="managed", key=key.name,
        known_host=host.known_host,
    )  # fmt: skip
    with pytest.raises(InstarError) as caught:
        await world.start(target, "shell", {"command": f"touch {tmp_path}/ran"})
    assert (caught.value.code, caught.value.detail["failure_code"]) == ("ssh_failed", "auth_failed")
    assert not (tmp_path / "ran").exists()


async def test_without_a_pin_the_accounts_policy_decides_in_system_mode_alone(world, host):
    system = await world.add(host, SshMode.SYSTEM, pinned=False)
    assert (await world.shell(system, "true"))[0].exit_status == 0
    executor = world.ssh.executor(f"ssh:{system.id}")
    prepared = await executor.prepare(world.preparation("exec", {"argv": ["true"]}))
    assert (len(prepared.unbound), prepared.is_ruleable) == (2, False)
    assert "no host key is pinned" in (await world.do("test", ssh_target_id="box")).message
    strict = host.client_config.read_text().replace("StrictHostKeyChecking no", "StrictHostKeyChecking yes")
    host.client_config.write_text(strict.replace("known_hosts", "none"))
    assert (await world.do("test", ssh_target_id="box")).failure_code == "host_key_unknown"


async def test_the_pin_is_not_weakened_by_the_accounts_configuration(world, host, tmp_path):
    """Its known_hosts know the new key, its checks are off, and a shared connection waits: the pin still decides."""
    target = await world.add(host, SshMode.SYSTEM)
    host.change_host_key()
    (host.folder / "known_hosts").write_text(host.known_host + "\n")
    config = host.client_config.read_text()
    host.client_config.write_text(f"{config}ControlMaster auto\nControlPath {tmp_path}/shared\nControlPersist 5\n")
    assert (await run(*host.client, "-p", str(host.port), host.address, "true")).returncode == 0
    assert await refusal(world, target) == "host_key_changed"
    await run(*host.client, "-O", "exit", "-p", str(host.port), host.address)


@pytest.mark.parametrize("mode", MODES)
async def test_lines_of_many_kinds_can_be_pinned(world, host, mode, tmp_path):
    target = await world.add(host, mode, pinned=False)
    listed = tmp_path / "known"
    other = make_key(tmp_path / "other", "ecdsa").with_suffix(".pub").read_text().split()
    listed.write_text(f"# mine\n{host.known_host} a comment\n\n[127.0.0.1]:{host.port} {other[0]} {other[1]}\n")
    await run("ssh-keygen", "-H", "-f", str(listed))
    assert "|1|" in listed.read_text()
    pinned = await world.do("pin", ssh_target_id=target.id, known_host=listed.read_text())
    assert len(pinned.host_fingerprints) == 2
    assert (await world.shell(target, "echo in"))[1].out == b"in\n"


async def test_a_scan_pins_only_what_was_compared(world, host):
    target = await world.add(host, SshMode.SYSTEM, pinned=False)
    with pytest.raises(InstarError) as caught:
        await world.do("pin", ssh_target_id=target.id, fingerprint="SHA256:" + "A" * 43)
    assert caught.value.code == "conflict"
    assert not (await world.do("targets")).targets[0].known_host


async def test_an_alias_is_scanned_where_it_leads(world, host):
    with host.client_config.open("a") as file:
        file.write(f"Host my-alias\n  HostName 127.0.0.1\n  Port {host.port}\n  User {host.user}\n")
    found = await world.do("scan", address="my-alias")
    assert (found.host, found.port, found.keys[0].known_host) == ("127.0.0.1", host.port, host.known_host)
    target = await world.do("add_target", label="box", address="my-alias", known_host=host.known_host)
    assert (await world.shell(target, "echo in"))[1].out == b"in\n"
    with pytest.raises(InstarError):
        await world.do("scan", address="no-such-alias.invalid")
