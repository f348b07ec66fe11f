"""Rules that both ends of `moltnet.attach.v1` hold each other to, with the texts that the original says them in."""

import msgspec

from instar.wire.machine import UNREADABLE
from instar.wire.names import is_id

from .frames import ACK, IDENTIFY, PONG, VERSION, Frame, decode

QUOTE_MAX_CHARS = 64
"""How much of a peer's own words an error text repeats."""


class Violation(Exception):  # noqa: N818 - the peer's fault, never leaves the package
    """The peer broke a rule; the text is what it is told."""


def quoted(text: str) -> str:
    """Return the beginning of `text` in double quotes, control characters escaped."""
    return msgspec.json.encode(text[:QUOTE_MAX_CHARS]).decode()


def parse(payload: bytes, is_text: bool) -> Frame:
    """Decode a message.

    Raises:
        Violation: It is binary, or no JSON object of the dialect's shape.
    """
    if not is_text:
        raise Violation("attachment protocol only accepts text JSON frames")
    try:
        return decode(payload)
    except UNREADABLE as error:
        raise Violation("attachment frame must be valid JSON") from error


def check_version(frame: Frame) -> None:
    """Check that the frame names exactly our version; only ACK and PONG may leave it out.

    Raises:
        Violation: The version is missing or another one.
    """
    version = frame.version.strip()
    if version == VERSION or (not version and frame.op in {ACK, PONG}):
        return
    op = frame.op.strip()[:QUOTE_MAX_CHARS] or "frame"
    if not version:
        raise Violation(f"attachment {op} version is required")
    raise Violation(f"attachment {op} version {quoted(frame.version)} does not match {quoted(VERSION)}")


def check_identify(frame: Frame, network_id: str) -> None:
    """Check a client's first frame.

    Raises:
        Violation: It is no IDENTIFY of our version for this network with a plain agent id.
    """
    if frame.op != IDENTIFY:
        raise Violation(f"expected {IDENTIFY} frame")
    check_version(frame)
    if frame.network_id.strip() != network_id:
        raise Violation(f"attachment network_id {quoted(frame.network_id)} does not match {quoted(network_id)}")
    if frame.agent is None or not frame.agent.id.strip():
        raise Violation("attachment agent.id is required")
    if not is_id(frame.agent.id.strip()):
        raise Violation(f"attachment agent.id {quoted(frame.agent.id)} is not a valid id")


def unexpected(frame: Frame) -> Violation:
    """Return what a frame is told that has no place in the sequence."""
    return Violation(f"unexpected frame op {quoted(frame.op)}")
