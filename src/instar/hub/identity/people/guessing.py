"""Who guesses passwords: counted by address; where an act comes from none, by credential.

This machine is not exempt, as it is for tokens: its browsers guess for others.
"""

from typing import Any

from instar.hub.act import Act


def guess_site(act: Act[Any, Any]) -> str:
    """Return what a wrong password of this act counts against."""
    return act.peer or act.caller.grant.id
