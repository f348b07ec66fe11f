"""`instar` alone: whatever is useful now."""

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client.errors import HubError

from .start import NEXT, serve

PROBE_S = 2.0
"""How long to look for a running hub."""


@command("instar", hidden=True)
def bare(session: Session) -> Answer | int:
    """Start the hub, or open the one that runs."""
    if not is_running(session):
        return serve(session, {})
    link = session.invoke("auth.console_link")
    url = session.access.url
    lines = [f"Instar runs at {url}", f"  Console  {link['url']}", f"  Next     {NEXT}"]
    return Answer({"url": url, "console_url": link["url"], "expires_at": link["expires_at"]}, lines)


def is_running(session: Session) -> bool:
    """Whether a hub answers at the session's address."""
    try:
        session.client_within(PROBE_S).invoke("hub.health")
    except HubError as error:
        return error.code not in ("unreachable", "timeout")
    return True


COMMAND = bare
