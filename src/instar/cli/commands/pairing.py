"""`instar pairing …`: whether unknown devices may ask."""

import click

from instar.cli.command import Group, command
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer
from instar.cli.scopes import ScopeChoice, one_of
from instar.cli.session import Session
from instar.cli.texts import relative
from instar.client.http import JsonObject

from .devices import ROLES

WINDOW_S = 600.0
"""How long the window is open unless told otherwise; a test compares it with the limit."""


@command("instar pairing enable", "instar pairing enable --for 2m --json")
@click.option("--for", "for_s", type=DURATION, default=WINDOW_S, metavar="10m", help="How long; at most an hour.")
def enable(session: Session, *, for_s: float) -> Answer:
    """Let unknown devices ask to be let in, for a while.

    They only ask: `instar devices approve` lets one in. The window closes by itself.
    """
    return open_for(session, for_s)


@command("instar pairing disable")
def disable(session: Session) -> Answer:
    """Let unknown devices ask no more.

    What waits already can still be approved; devices that were let in are not touched.
    """
    return close(session)


@command("instar pairing status")
def status(session: Session) -> Answer:
    """Say whether unknown devices may ask."""
    return window(session)


@command("instar pairing code --scope observe --name tablet --json")
@click.option("--scope", "scopes", multiple=True, required=True, type=ScopeChoice(), help=one_of("May be repeated."))
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="As what it comes.")
@click.option("--name", default="", help="What the device will be called.")
@click.option("--expires", type=DURATION, metavar="10m", help="The code ends after this time.")
def code(session: Session, *, scopes: tuple[str, ...], role: str, name: str, expires: float | None) -> Answer:
    """Make a short code that lets one device in at once.

    For a client that has no key. Whoever types the code first is let in with these scopes; it works once.
    """
    made = session.invoke("pairing.code", scopes=list(scopes), role=role, name=name, expires_in_s=expires)
    if session.output.form == "text":
        session.output.note(f"Type it into the device; it works once and ends {relative(made['expires_at'])}:")
    return Answer(made, [made["code"]])


def open_for(session: Session, for_s: float) -> Answer:
    """Open the window; `instar node pairing` is the same one."""
    return _answer(session.invoke("pairing.open", for_s=for_s))


def close(session: Session) -> Answer:
    """Close the window."""
    return _answer(session.invoke("pairing.close"))


def window(session: Session) -> Answer:
    """Say how the window is."""
    return _answer(session.invoke("pairing.status"))


def _answer(window: JsonObject) -> Answer:
    waiting = f"{window['pending']} of at most {window['pending_max']} requests wait"
    if window["is_open"]:
        head = f"Unknown devices may ask; that ends {relative(window['closes_at'])}."
    else:
        head = "Unknown devices may not ask. Let them with: instar pairing enable"
    lines = [head, f"  {waiting}: instar devices requests" if window["pending"] else f"  {waiting}."]
    if window["is_open"]:
        lines.append(f"  A device that pairs shows this hub as {window['hub_fingerprint']}")
    return Answer(window, lines)


COMMAND = Group(
    "pairing",
    "Pairing: whether unknown devices may ask.",
    examples=("instar pairing status",),
    default="status",
    commands=[enable, disable, status, code],
)
