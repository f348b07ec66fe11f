"""Targets and keys: made, changed, removed; the default means something only where `ssh` is chosen."""

import pytest

from instar.base.errors import InstarError
from instar.wire.nodes import CheckLevel, ExecStatus, NodeKind
from instar.wire.ssh import SshMode

from .test_attacks import KEY

PIN = f"10.0.0.5 ssh-ed25519 {KEY}"


async def code(awaitable):
    with pytest.raises(InstarError) as caught:
        await awaitable
    return caught.value.code


async def named(world, label, **more):
    return await world.do("add_target", label=label, address=f"ops@{label}.example.org", **more)


async def test_the_first_target_is_the_default_and_the_last_changed_follows_it(world):
    first, second, third = [await named(world, label) for label in ("one", "two", "three")]
    assert [target.is_default for target in (first, second, third)] == [True, False, False]
    await world.do("update_target", ssh_target_id="TWO", is_default=True)
    assert [each.label for each in (await world.do("targets")).targets] == ["two", "one", "three"]
    await world.do("update_target", ssh_target_id="three", address="ops@3.example.org:2222")
    await world.do("remove_target", ssh_target_id="two")
    found = (await world.do("targets")).targets
    assert [(each.label, each.is_default) for each in found] == [("three", True), ("one", False)]
    assert (found[0].address, found[0].port) == ("ops@3.example.org", 2222)


async def test_routing_sees_targets_that_can_always_be_tried(world):
    target = await named(world, "one")
    (facts,) = world.ssh.targets()
    assert (facts.id, facts.name, facts.kind) == (f"ssh:{target.id}", "one", "ssh")
    assert (facts.is_connected, facts.is_default) == (True, True)
    assert world.ssh.executor(target.id) is None
    assert world.ssh.executor("local") is None
    assert (world.ssh.env_allowed(facts.id), world.ssh.sandboxes(facts.id)) == ((), ())
    assert world.ssh.permits(facts.id, "exec", "") == ""
    assert "needs a node" in world.ssh.permits(facts.id, "read_file", "")
    assert world.ssh.permits("ssh:none", "exec", "")
    (node,) = world.ssh.nodes()
    assert (node.kind, node.telemetry, node.host_pinned, node.declared) == (
        NodeKind.SSH,
        None,
        False,
        ["exec", "shell"],
    )


async def test_labels_are_taken_once_and_mean_nothing_else(world):
    await named(world, "one")
    assert await code(named(world, "ONE")) == "conflict"
    assert await code(named(world, "local")) == "unprocessable_entity"
    second = await named(world, "two")
    assert await code(world.do("update_target", ssh_target_id=second.id, label="one")) == "conflict"
    assert await code(world.do("remove_target", ssh_target_id="none")) == "not_found"


async def test_a_managed_target_needs_user_and_key(world):
    key = await world.do("generate_key", name="deploy")
    more = {"mode": "managed", "known_host": PIN}
    assert (
        await code(world.do("add_target", label="x", address="10.0.0.5", key="deploy", **more))
        == "unprocessable_entity"
    )
    assert await code(world.do("add_target", label="x", address="ops@10.0.0.5", **more)) == "unprocessable_entity"
    assert await code(world.do("add_target", label="x", address="ops@10.0.0.5", key="none", **more)) == "not_found"
    made = await world.do("add_target", label="x", address="ops@10.0.0.5", key="DEPLOY", **more)
    assert (made.key_id, made.key_name, len(made.host_fingerprints)) == (key.id, "deploy", 1)
    assert (await world.do("keys")).keys[0].targets == 1
    assert await code(world.do("remove_key", ssh_key_id="deploy")) == "conflict"
    system = await world.do("update_target", ssh_target_id="x", mode="system")
    assert (system.mode, system.key_id) == (SshMode.SYSTEM, "")
    await world.do("remove_key", ssh_key_id="deploy")
    assert not (await world.do("keys")).keys


@pytest.mark.parametrize(
    "line", [f"10.0.0.6 ssh-ed25519 {KEY}", f"[10.0.0.5]:2222 ssh-ed25519 {KEY}", f"!10.0.0.5,* ssh-ed25519 {KEY}"]
)
async def test_a_managed_pin_is_about_its_own_host(world, line):
    await world.do("generate_key", name="deploy")
    body = {"label": "x", "address": "ops@10.0.0.5", "mode": "managed", "key": "deploy"}
    assert await code(world.do("add_target", **body, known_host=line)) == "unprocessable_entity"
    await world.do("add_target", **body)
    assert await code(world.do("pin", ssh_target_id="x", known_host=line)) == "unprocessable_entity"
    assert await code(world.do("pin", ssh_target_id="x")) == "unprocessable_entity"
    executor = world.ssh.executor(world.ssh.targets()[0].id)
    assert executor is not None
    assert await code(executor.prepare(world.preparation("exec", {"argv": ["true"]}))) == "ssh_failed"


async def test_everything_outlives_a_restart(make_world, make_engine, world):
    key = await world.do("generate_key", name="deploy")
    made = await world.do(
        "add_target", label="x", address="ops@10.0.0.5:22", mode="managed", key="deploy", known_host=PIN
    )
    from .conftest import World

    again = World(await make_engine(), ("ssh",))
    seen: list[str] = []
    again.ssh.on_connected(seen.append)
    await again.load()
    assert (await again.do("targets")).targets == [made]
    assert (await again.do("keys")).keys[0].fingerprint == key.fingerprint
    assert seen == [f"ssh:{made.id}"]


async def test_events_and_answers_hold_no_private_half(world, sshd):
    private = sshd.login_key.read_text()
    key = await world.do("import_key", name="taken", private_key=private)
    marks = [line for line in private.splitlines() if "KEY-----" not in line]
    told = b"".join(event.payload for event in world.engine.events) + repr(key).encode()
    assert not [line for line in marks if line.encode() in told]
    stored = await world.engine.store.read(lambda reader: reader.rows("SELECT sealed FROM secrets"))
    assert not [line for line in marks for row in stored if line.encode() in row[0]]


async def test_a_key_that_cannot_be_decrypted_is_told(world, make_engine):
    await world.do("generate_key", name="deploy")
    await world.do("add_target", label="x", address="ops@10.0.0.5", mode="managed", key="deploy", known_host=PIN)

    async def damage(tx):
        await tx.execute("UPDATE secrets SET sealed = ?1 WHERE context <> ?2", b"\x01" + bytes(40), "check")

    await world.engine.store.transact(damage)
    from .conftest import World

    again = World(await make_engine(), ("no-such-client",))
    await again.load()
    assert not (await again.do("keys")).keys[0].is_readable
    status = await again.ssh.status.examine(ExecStatus("ssh", f"ssh:{(await again.do('targets')).targets[0].id}"))
    assert (status.ssh_keys, status.ssh_keys_unreadable, status.ssh_targets, status.ssh_pinned) == (1, 1, 1, 1)
    errors = {check.id for check in status.checks if check.level is CheckLevel.ERROR}
    assert errors == {"managed-key-vault", "ssh-route"}
    outcome = await again.do("test", ssh_target_id="x")
    assert (outcome.ok, outcome.failure_code) == (False, "key_unreadable")


async def test_the_status_warns_of_what_is_not_pinned(world, make_world):
    target = await named(world, "one")
    await world.do("generate_key", name="deploy")
    await world.do("add_target", label="two", address="ops@10.0.0.5", mode="managed", key="deploy")
    status = await world.ssh.status.examine(ExecStatus("ssh", f"ssh:{target.id}", "one"))
    levels = {(check.id, check.subject): check.level for check in status.checks}
    assert levels["ssh-host-pinning", "one"] is CheckLevel.WARN
    assert levels["ssh-host-pinning", "two"] is CheckLevel.ERROR
    assert levels["ssh-route", "one"] is CheckLevel.OK
    assert status.ssh_client
    lost = await world.ssh.status.examine(ExecStatus("none", "ssh:gone"))
    assert ("ssh-route", CheckLevel.ERROR) in {(check.id, check.level) for check in lost.checks}


async def test_without_a_client_system_mode_says_so(make_world):
    world = await make_world(("no-such-client",))
    target = await named(world, "one")
    assert (await world.do("test", ssh_target_id="one")).failure_code == "client_missing"
    status = await world.ssh.status.examine(ExecStatus("ssh", f"ssh:{target.id}", "one"))
    assert ("ssh-binary", CheckLevel.ERROR) in {(check.id, check.level) for check in status.checks}


async def test_a_key_without_a_target_is_noticed(world):
    await world.do("generate_key", name="deploy")
    status = await world.ssh.status.examine(ExecStatus("local"))
    assert "ssh-onboarding" in {check.id for check in status.checks}
