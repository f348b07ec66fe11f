"""Messages as people read them in a terminal."""

from collections.abc import Iterable, Iterator
from typing import Any

from .texts import relative, visible

_UNREAD = ("usr_", "dev_", "sch_")
_SHORT = 10
"""So many first characters of an id tell people of one name apart."""
_SUBJECTS = ("room", "agent", "run", "key", "hub", "loop")


def text_of(message: dict[str, Any]) -> str:
    """Return a message's content as text; what is no text is named in brackets."""
    if redaction := message.get("redaction"):
        return f"[redacted by {visible(redaction.get('by', ''))}]"
    return "\n".join(_part(part) for part in message.get("parts", ()))


def sender_of(message: dict[str, Any]) -> str:
    """Return who sent it: an agent by its id; others, whose ids nobody reads, by name and how the id begins.

    The name alone would not do: a device may be called like anybody else.
    """
    sender = message.get("from", {})
    told, name = str(sender.get("id", "")), str(sender.get("name", ""))
    if name and told.startswith(_UNREAD):
        return f"{visible(name)} ({visible(told[:_SHORT])})"
    return visible(told)


def lines(messages: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield messages, oldest first: number, age, sender, text; further lines of a text are indented."""
    for message in messages:
        head, *more = text_of(message).split("\n")
        when = relative(message.get("created_at", ""))
        yield f"{message.get('seq', 0):>6}  {when:>10}  {sender_of(message)}: {head}"
        for line in more:
            yield f"{'':20}{line}"


def event_line(event: dict[str, Any]) -> str:
    """Return one line for an event of a feed."""
    room = visible(event.get("room_key", ""))
    if message := event.get("message"):
        return f"{room}  {sender_of(message)}: {text_of(message)}"
    subject: dict[str, Any] = next((event[name] for name in _SUBJECTS if event.get(name)), dict[str, Any]())
    named = visible(str(subject.get("agent_id") or subject.get("id") or ""))
    reason = f": {visible(str(subject['reason']))}" if subject.get("reason") else ""
    return f"{room}  * {visible(event.get('type', ''))} {named}".rstrip() + reason


def _part(part: dict[str, Any]) -> str:
    kind = visible(str(part.get("kind", "")))
    if kind == "text":
        return visible(part.get("text", ""))
    named = part.get("filename") or part.get("url") or part.get("blob") or ""
    return f"[{kind} {visible(named)}]" if named else f"[{kind}]"
