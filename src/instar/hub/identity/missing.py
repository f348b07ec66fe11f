"""The one answer to "there is none" and "it is not yours to know": whoever asks cannot tell which it was."""

from instar.base.errors import InstarError

_HINTS = {
    "run": "List runs with `GET /v1/runs`.",
    "key": "List keys with `instar keys list`.",
    "message": "Read the conversation for the ids of its messages.",
    "dm": "Name its `participant_ids` to open it.",
}


def missing(kind: str, item_id: str) -> InstarError:
    """Return the `not_found` of an object that is not there, or that the caller may not know of."""
    return InstarError("not_found", f"there is no {kind} {item_id!r}", hint=_HINTS.get(kind, ""))
