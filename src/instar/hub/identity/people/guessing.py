"""Who guesses passwords: counted by address; on a socket, whose address an act does not know, by credential."""

from typing import Any

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.lockout import Lockout


def guess_site(act: Act[Any, Any]) -> str:
    """Return what a wrong password of this act counts against."""
    return act.peer or act.caller.grant.id


def refuse_locked(lockout: Lockout, site: str) -> None:
    """Let nobody guess who has guessed too often. This machine is not exempt: its browsers guess for others.

    Raises:
        InstarError: `rate_limited` while the lock lasts.
    """
    if wait_s := lockout.wait_s(site):
        raise InstarError(
            "rate_limited", "too many wrong credentials came from this address",
            retry_after_s=round(wait_s, 3), detail={"cause": "rate_limited"},
        )  # fmt: skip
