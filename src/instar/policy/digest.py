"""Digests of what would run: hub and node compute them alike, from the meaning and not from the spelling."""

import hashlib

import msgspec

from instar.wire.execution import Plan


def canonical(obj: object) -> bytes:
    """Return the one JSON text of a value: keys sorted, no blanks, embedded JSON (`Raw`) spelled alike as well.

    Raises:
        msgspec.MsgspecError: It holds what JSON cannot say.
    """
    return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(obj)), order="sorted")


def digest_of(obj: object) -> str:
    """Return `sha256:HEX` of the canonical JSON of a value."""
    return "sha256:" + hashlib.sha256(canonical(obj)).hexdigest()


def plan_digest(plan: Plan) -> str:
    """Return the digest that an approval of this plan binds: any other plan has another one."""
    return digest_of(plan)
