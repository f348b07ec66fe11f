"""Messages as the dialect's transcripts show them."""

from typing import Any

from instar.wire.messages import Message, Part, PartKind

from .times import millis

REDACTED = "[message redacted]"


def role_of(message: Message, agent_id: str) -> str:
    """Return who speaks, as seen by an agent: it is the `assistant`, everybody else the `user`."""
    return "assistant" if message.from_.type == "agent" and message.from_.id == agent_id else "user"


def text_of(message: Message) -> str:
    """Return what a message says, in plain text."""
    if message.redaction is not None:
        return REDACTED
    return "\n".join(line for part in message.parts if (line := _line(part)))


def entry(message: Message, agent_id: str, max_chars: int | None = None) -> dict[str, Any]:
    """Return a message as an entry of a transcript.

    Args:
        message: What was said.
        agent_id: The agent whose transcript it is.
        max_chars: Longest text; a longer one is cut, and says so.
    """
    text = text_of(message)
    shown: dict[str, Any] = {
        "id": message.id,
        "role": role_of(message, agent_id),
        "content": [{"type": "text", "text": text if max_chars is None else text[:max_chars]}],
        "timestamp": millis(message.created_at),
        "seq": message.seq,
        "sender": {"id": message.from_.id, "type": message.from_.type, "name": message.from_.name or message.from_.id},
    }
    if message.run:
        shown["stopReason"] = "stop"
    if max_chars is not None and len(text) > max_chars:
        shown["truncated"] = True
    return shown


def _line(part: Part) -> str:
    match part.kind:
        case PartKind.TEXT:
            return part.text
        case PartKind.DATA:
            return "[data]"
        case _:
            return part.url or f"[{part.kind}: {part.filename or part.media_type or part.blob}]"
