import os

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.authentication import Credential, Signed
from instar.hub.identity.devices.requests import PairingAsk
from instar.wire import signatures
from instar.wire.devices import Facts, Role
from instar.wire.identity import Scope
from instar.wire.nodes import Permit


async def asking(site, role=Role.NODE):
    """Let a machine ask to be let in; return its request."""
    await site.do("pairing.open")
    seed = os.urandom(signatures.SEED_BYTES)
    key = signatures.public_key_of(seed)
    message = b"a message of some dialect"
    signed = Signed(key, signatures.sign(seed, message), (message,))
    ask = PairingAsk(role, frozenset({Scope.NODE} if role is Role.NODE else {Scope.OBSERVE}), Facts("build"))
    return await site.engine.identity.request_pairing(Credential(signed=signed, is_local=True), ask)


async def test_the_request_the_permit_and_the_labels_are_one_decision(site):
    request = await asking(site)
    [shown] = (await site.do("nodes.requests")).requests
    assert (shown.request_id, shown.digest, shown.asked) == (request.id, request.digest, [Scope.NODE])
    await asking(site, Role.OPERATOR)
    assert len((await site.do("nodes.requests")).requests) == 1

    for wrong, code in (
        ({"digest": "0" * 64}, "conflict"), ({"permit": {"env": ["LD_PRELOAD"]}}, "unprocessable_entity"),
        ({"request_id": "pair_gone"}, "not_found"),
    ):  # fmt: skip
        with pytest.raises(InstarError) as raised:
            await site.do("nodes.approve", **{"request_id": request.id} | wrong)
        assert raised.value.code == code
    assert len((await site.do("nodes.requests")).requests) == 1

    node = await site.do(
        "nodes.approve", request_id=request.id, digest=request.digest, name="Farm 1", labels={"gpu": "yes"},
        permit={"commands": ["exec"], "env": ["CI"]},
    )  # fmt: skip
    assert (node.id, node.name, node.labels) == (request.device_id, "Farm 1", {"gpu": "yes"})
    assert node.permit == Permit(["exec"], ["CI"])
    assert await site.do("nodes.get", node_id="farm 1") == node
    assert (await site.do("nodes.requests")).requests == []
    kinds = [event.type for event in site.engine.events][-3:]
    assert kinds == ["device.changed", "node.changed", "audit.recorded"]


async def test_an_operators_request_is_no_nodes(site):
    request = await asking(site, Role.OPERATOR)
    with pytest.raises(InstarError, match="not a node's"):
        await site.do("nodes.approve", request_id=request.id)


async def test_devices_approve_gives_no_permit(site):
    request = await asking(site)
    await site.do("devices.approve", request_id=request.id)
    node = await site.do("nodes.get", node_id=request.device_id)
    assert (node.permit, node.name) == (Permit(), "build")
    await site.do("devices.rename", device_id=request.device_id, name="Renamed")
    assert (await site.do("nodes.get", node_id="renamed")).id == request.device_id


async def test_a_node_that_is_none_any_more_gets_no_permit(site):
    caller = await site.let_in()
    known = site.nodes.roster.get(f"{'build':0<64}")
    await site.do("devices.revoke", device_id=known.id, role="node")
    handlers = site.nodes._handlers
    with pytest.raises(InstarError, match="no such node"):
        handlers.locate(caller, type("P", (), {"node_id": known.id}))
