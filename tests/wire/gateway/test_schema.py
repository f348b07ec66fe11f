"""Decoding is the generated schema: both judge one corpus alike."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from instar.wire.gateway.method import Generation
from instar.wire.gateway.methods import METHODS
from instar.wire.machine import UNREADABLE
from instar.wire.schema.gateway import CONNECT, FRAMES, gateway_schema

from .greeting import moltis, params, signed

DOCUMENT = gateway_schema()
VALUES: list[Any] = [
    None, True, 0, 1, -1, 3, 1.5, 10**6, "", "x", "now", "2026-01-01T00:00:00Z", "a" * 600, [], [1], [""], ["x"],
    {}, {"x": 1}, {"kind": "at", "atMs": 1}, {"x": True}, "GET", "exec", "status.request",
]  # fmt: skip


def judge(reference: dict[str, Any], struct: type[msgspec.Struct], value: Any) -> None:
    """Demand that both agree on a value."""
    validator = Draft202012Validator(reference | {"$defs": DOCUMENT["$defs"]})
    by_schema = validator.is_valid(value)
    try:
        msgspec.json.decode(json.dumps(value), type=struct)
        by_decoding = True
    except UNREADABLE:
        by_decoding = False
    assert by_schema is by_decoding, (struct.__name__, value)


def corpus(reference: dict[str, Any], base: dict[str, Any]) -> list[Any]:
    """Return the base, whole and with each member missing, strange or of every other kind."""
    definition = DOCUMENT["$defs"][reference["$ref"].rpartition("/")[2]]
    names = [*definition.get("properties", {}), "unheardOf"]
    changed = [base | {name: value} for name in names for value in VALUES]
    missing = [{key: value for key, value in base.items() if key != name} for name in names]
    return [base, *VALUES, *changed, *missing]


def example(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return required members, each with the first value that fits."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if not field.required:
            continue
        for value in [*VALUES, {"kind": "every", "everyMs": 1}, {"kind": "systemEvent", "text": "x"}]:
            try:
                msgspec.json.decode(json.dumps(value), type=field.type)
            except UNREADABLE:
                continue
            found[field.encode_name] = value
            break
    return found


@pytest.mark.parametrize("name", METHODS)
def test_parameters_of_methods(name: str) -> None:
    method = METHODS[name]
    for generation in method.generations:
        reference = DOCUMENT["methods"][name]["params"][str(generation)]
        struct = method.params_for(generation)
        base = example(struct)
        msgspec.json.decode(json.dumps(base), type=struct)
        for value in corpus(reference, base):
            judge(reference, struct, value)


@pytest.mark.parametrize("generation", list(Generation))
def test_connect(generation: Generation) -> None:
    bases = {
        Generation.V3: signed("v2", params("v3")), Generation.V4: signed("v3", params()), Generation.MOLTIS: moltis(),
    }  # fmt: skip
    reference, struct = DOCUMENT["connect"][str(generation)], CONNECT[generation]
    base = bases[generation]
    msgspec.json.decode(json.dumps(base), type=struct)
    for value in corpus(reference, base):
        judge(reference, struct, value)
    for member in ("client", "device", "auth"):
        inner = base.get(member, {})
        for name in [*inner, "unheardOf"]:
            for value in VALUES:
                judge(reference, struct, base | {member: inner | {name: value}})


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str) -> None:
    bases = {"response": {"type": "res", "id": "1", "ok": True}, "event": {"type": "event", "event": "tick"}}
    base = bases.get(name, {"type": "req", "id": "1", "method": "health"})
    for value in corpus(DOCUMENT["frames"][name], base):
        judge(DOCUMENT["frames"][name], FRAMES[name], value)


def test_the_document_is_a_schema() -> None:
    Draft202012Validator.check_schema({"$defs": DOCUMENT["$defs"]})


def test_openclaw_is_closed_at_every_level() -> None:
    """What the original refuses for a member too many is refused here."""
    for name in ("Request", "V3Connect", "V4Connect", "V3Client", "V4Client", "Device", "NoncedDevice", "V4Auth"):
        assert DOCUMENT["$defs"][name]["additionalProperties"] is False
