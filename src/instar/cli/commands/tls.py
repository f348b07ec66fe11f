"""`instar tls …`: the certificate that clients pin."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client.errors import HubError
from instar.client.trust import fingerprint_at

if TYPE_CHECKING:
    from instar.server.tls import Certificate


@command("instar tls fingerprint", "instar tls fingerprint --json")
@click.argument("address", default="", metavar="[URL]")
def fingerprint(session: Session, address: str) -> Answer:
    """Show the fingerprint of the hub's certificate.

    Without URL it is read from the data directory, on the hub's own machine: what clients compare it with. With URL it
    is what is shown at that address, whoever is there.
    """
    if address:
        shown = fingerprint_at(address, session.timeout_s)
        return Answer({"url": address, "fingerprint": shown}, [shown])
    found = _certificate(session)
    document = {
        "fingerprint": found.fingerprint,
        "certificate": str(found.certificate),
        "expires_at": found.expires_at.isoformat(),
        "is_own": found.is_own,
    }
    return Answer(document, [found.fingerprint])


@command("instar tls renew --yes", offline=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def renew(session: Session, *, yes: bool) -> Answer:
    """Make a new key and certificate for the hub.

    The hub uses them with its next start. Every client that pinned the old one refuses the new one until it is paired
    again. A certificate of your own (`tls.certificate`) is yours to renew.
    """
    from instar.hub.settings.load import load  # noqa: PLC0415
    from instar.server import tls  # noqa: PLC0415 - the server's part, on the hub's own machine

    settings = load({}, session.environ).settings
    if settings.tls.certificate:
        raise HubError(
            "usage",
            f"the hub uses {settings.tls.certificate}, which is not its own work",
            hint="Replace that file and start the hub again.",
        )
    session.confirm("Make a new certificate? Every client that pinned the old one has to pair again.", yes=yes)
    made = tls.make(settings, Path(settings.data_dir))
    document = {"fingerprint": made.fingerprint, "certificate": str(made.certificate)}
    return Answer(document, [f"New fingerprint: {made.fingerprint}", "Start the hub again to use it."])


def _certificate(session: Session) -> "Certificate":
    """Return the certificate of the hub on this machine's data directory."""
    from instar.hub.settings.load import load  # noqa: PLC0415 - the hub's settings, on the hub's own machine
    from instar.server import tls  # noqa: PLC0415

    settings = load({}, session.environ).settings
    found = tls.certificate_of(settings, Path(settings.data_dir))
    if found is None:
        raise HubError(
            "not_found",
            f"the hub on {settings.data_dir} has no certificate yet",
            hint="It makes one when it first listens for other machines: instar start --listen 0.0.0.0:8787",
        )
    return found


COMMAND = Group(
    "tls",
    "TLS: the certificate that clients pin.",
    examples=("instar tls fingerprint",),
    default="fingerprint",
    commands=[fingerprint, renew],
)
