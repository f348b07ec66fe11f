"""The one answer to "there is none" and "it is not yours to know": whoever asks cannot tell which it was."""

from instar.base.errors import InstarError

_HINTS = {
    "run": "List runs with `GET /v1/runs`.",
    "call": "List calls with `instar calls list`.",
    "schedule": "List schedules with `instar schedules list`.",
    "key": "List keys with `instar keys list`.",
    "node": "List nodes with `instar node list`.",
    "approval": "List approvals with `instar approvals list --all`.",
    "rule": "List rules with `instar approvals rules list`.",
    "device": "List devices with `instar devices list`.",
    "person": "List people with `instar users list`.",
    "message": "Read the conversation for the ids of its messages.",
    "SSH key": "List managed keys with `instar ssh keys`.",
    "SSH target": "List SSH targets with `instar ssh targets`.",
    "dm": "Name its `participant_ids` to open it.",
}
_SEVERAL_NAMES = frozenset({"person", "device", "node"})
"""Kinds that are found by more than one name: naming the one that is stored would tell that there is one."""


def missing(kind: str, item_id: str) -> InstarError:
    """Return the `not_found` of an object that is not there, or that the caller may not know of."""
    what = f"such {kind}" if kind in _SEVERAL_NAMES else f"{kind} {item_id!r}"
    return InstarError("not_found", f"there is no {what}", hint=_HINTS.get(kind, ""))
