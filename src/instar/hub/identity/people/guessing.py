"""Who guesses passwords: counted by address; on a socket, whose address an act does not know, by credential.

This machine is not exempt, as it is for tokens: its browsers guess for others.
"""

from typing import Any

from instar.hub.act import Act


def guess_site(act: Act[Any, Any]) -> str:
    """Return what a wrong password of this act counts against."""
    return act.peer or act.caller.grant.id
