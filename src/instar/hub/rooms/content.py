"""What a message may hold: the shape of parts and targets (Moltnet http.v1 §1.2). IO-free."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from instar.base.errors import InstarError
from instar.wire.limits import JSON_DEPTH_MAX, PARTS_MAX
from instar.wire.messages import Part, PartKind, Target, TargetKind
from instar.wire.names import is_id

_SCHEMES = {"http", "https", "molt"}


def is_plain(part: Part) -> bool:
    """Whether a part is text and nothing else: it leaves no artifact."""
    return part.kind is PartKind.TEXT and not (part.media_type or part.url or part.filename or part.blob or part.data)


def check_parts(parts: Sequence[Part]) -> bool:
    """Check the parts of a message and return whether all of them are plain text.

    Raises:
        InstarError: `unprocessable_entity` for none or too many, a URL that is not http, https or molt, or data
            that is nested too deeply.
    """
    if not 1 <= len(parts) <= PARTS_MAX:
        raise refuse(f"a message has 1 to {PARTS_MAX} parts, not {len(parts)}")
    plain = True
    for index, part in enumerate(parts):
        if not is_plain(part):
            plain = False
            _check_part(part, index)
    return plain


def _check_part(part: Part, index: int) -> None:
    if part.url:
        _check_url(part.url, index)
    if part.data is not None and _is_deeper(part.data, JSON_DEPTH_MAX):
        raise refuse(f"parts[{index}].data is nested more than {JSON_DEPTH_MAX} levels deep")


def _check_url(url: str, index: int) -> None:
    try:
        pieces = urlsplit(url)
        host = pieces.hostname
    except ValueError as error:
        raise refuse(f"parts[{index}].url is malformed: {error}") from None
    if pieces.scheme not in _SCHEMES or not (host or pieces.scheme == "molt"):
        raise refuse(f"parts[{index}].url must be an http, https or molt URL with a host")


def _is_deeper(value: Any, levels: int) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value.values())  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return False


def check_message_id(message_id: str) -> str:
    """Return a caller's message id, trimmed.

    Raises:
        InstarError: `unprocessable_entity` when it is no id.
    """
    trimmed = message_id.strip()
    if not is_id(trimmed):
        raise refuse(f"message id {message_id!r} is malformed", "Use up to 128 of `A-Za-z0-9._:-`, or leave it out.")
    return trimmed


def check_target(target: Target) -> None:
    """Check that a target names its conversation completely.

    Raises:
        InstarError: `unprocessable_entity` naming the missing or malformed field.
    """
    if target.kind is TargetKind.DM:
        if target.dm_id and not is_id(target.dm_id):
            raise refuse(f"target.dm_id {target.dm_id!r} is malformed")
        if not target.dm_id and not target.participant_ids:
            raise refuse("a target of kind dm needs `dm_id` or `participant_ids`")
        return
    if target.kind is TargetKind.SESSION:
        if not is_id(target.session_id):
            raise refuse("a target of kind session needs a `session_id`")
        return
    if not is_id(target.room_id):
        raise refuse(f"a target of kind {target.kind} needs a `room_id`")
    if target.kind is TargetKind.THREAD:
        if not is_id(target.thread_id):
            raise refuse("a target of kind thread needs a `thread_id`")
        if target.parent_message_id and not is_id(target.parent_message_id):
            raise refuse(f"target.parent_message_id {target.parent_message_id!r} is malformed")


def refuse(message: str, hint: str = "") -> InstarError:
    """Return the error for a field that does not fit."""
    return InstarError("unprocessable_entity", message, hint=hint)
