"""`instar node pending|approve|reject|pairing`: machines that ask to be nodes, at the hub."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.commands.pairing import close, open_for, window
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative, table, visible
from instar.client.access import is_loopback
from instar.client.errors import HubError
from instar.wire.limits import PAIRING_WINDOW_S

from .joining import LABEL

EVERYTHING, NOTHING = "*", "-"
_ANSWERS: dict[str, list[str]] = {NOTHING: [], "n": [], "no": [], "y": [EVERYTHING], "yes": [EVERYTHING]}
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@command("instar node pending", "instar node pending --json")
def pending(session: Session) -> Answer:
    """List the machines that ask to be nodes."""
    found = session.invoke("nodes.requests")
    heads = ("REQUEST", "NAME", "PLATFORM", "FINGERPRINT", "FROM", "ENDS")
    rows = [
        (
            each["request_id"], _name(each), each["facts"].get("platform", "") or "-",
            each["fingerprint"] or "(no key)", each.get("address", "") or "this machine", relative(each["expires_at"]),
        )
        for each in found["requests"]
    ]  # fmt: skip
    empty = "No machine asks to be a node. Is pairing enabled? See: instar node pairing status"
    return Answer(found, table(heads, rows, empty=empty), rows=found["requests"])


@command("instar node approve --yes", 'instar node approve --allow exec --allow "read*" --label gpu=yes --yes --json')
@click.argument("request", required=False)
@click.option("--allow", "commands", multiple=True, metavar="CMD", help="It may be asked this; may be repeated.")
@click.option("--bare", is_flag=True, help="It may be asked nothing yet.")
@click.option("--env", multiple=True, metavar="NAME", help="Forward this variable too; may be repeated.")
@click.option("--agent", "agents", multiple=True, metavar="ID", help="Only on behalf of these agents.")
@click.option("--label", "labels", multiple=True, type=LABEL, metavar="K=V", help="May be repeated.")
@click.option("--name", default="", help="Call it this.")
@_YES
def approve(
    session: Session,
    request: str | None,
    *,
    commands: tuple[str, ...],
    bare: bool,
    env: tuple[str, ...],
    agents: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
    name: str,
    yes: bool,
) -> Answer:
    """Let a machine in as a node, and say what it may be asked.

    Compare the fingerprint with what the machine itself shows. REQUEST may be left out while one machine asks. Without
    --allow it may be asked everything that it offers; each call is still judged by the rules.
    """
    if bare and commands:
        raise HubError("usage", "--bare and --allow exclude each other", hint="Use one of them.")
    wanted = _request(session, request)
    if session.output.form == "text":
        session.output.note("\n".join(table(("NODE", _name(wanted)), _asked(wanted))))
    granted = _granted(session, commands, bare=bare, yes=yes)
    session.confirm("Does the machine itself show this fingerprint?", yes=yes)
    node = session.invoke(
        "nodes.approve",
        request_id=wanted["request_id"],
        digest=wanted["digest"],
        permit={"commands": granted, "env": list(env), "agents": list(agents) or None},
        labels=dict(labels),
        name=name,
    )
    able = ", ".join(granted) if granted and granted != [EVERYTHING] else commands_in_words(granted)
    called = visible(str(node.get("name") or node["id"]))
    lines = [
        f"Let {called} in as a node. It may be asked {able}.",
        f"  Try it: instar exec --node {called} -- uname -a",
    ]
    if not granted:
        lines[1] = f"  Permit something: instar node allow {called} exec"
    return Answer(node, lines)


@command("instar node reject --yes")
@click.argument("request", required=False)
@_YES
def reject(session: Session, request: str | None, *, yes: bool) -> Answer:
    """Turn a machine away.

    REQUEST may be left out while one machine asks.
    """
    wanted = _request(session, request)
    session.confirm(f"Turn {_name(wanted)} ({wanted['fingerprint'] or 'no key'}) away?", yes=yes)
    done = session.invoke("devices.reject", request_id=wanted["request_id"])
    return Answer(done, [f"Turned {_name(wanted)} away."])


@command("instar node pairing enable")
@click.option(
    "--for", "for_s", type=DURATION, default=PAIRING_WINDOW_S, metavar="10m", help="How long; at most an hour."
)
def enable(session: Session, *, for_s: float) -> Answer:
    """Let unknown machines ask to be nodes, for a while.

    They only ask: `instar node approve` lets one in. The window closes by itself, and is that of `instar pairing`.
    """
    answer = open_for(session, for_s)
    url, certificate = _seen_from_outside(session, answer.document)
    # Who comes by this connection need not compare certificates: it has just compared this one.
    vouched = f" --fingerprint {certificate}" if certificate else ""
    lines = [*answer.lines, f"  On the machine run: instar node join {url}{vouched}"]
    if is_loopback(url):
        lines.append("  From another machine the hub must listen there: instar config set listen.address 0.0.0.0:8787")
    return Answer(answer.document, lines)


@command("instar node pairing disable")
def disable(session: Session) -> Answer:
    """Let unknown machines ask no more."""
    return close(session)


@command("instar node pairing status")
def status(session: Session) -> Answer:
    """Say whether unknown machines may ask to be nodes."""
    return window(session)


PAIRING = Group(
    "pairing",
    "Whether unknown machines may ask to be nodes.",
    examples=("instar node pairing status",),
    default="status",
    commands=[enable, disable, status],
)


def commands_in_words(granted: Sequence[str]) -> str:
    """Return what these globs permit, as the end of a sentence."""
    return "everything that it offers" if EVERYTHING in granted else "nothing yet"


def permitted(said: str) -> list[str]:
    """Return the globs that somebody typed; who is asked what to permit often answers yes or no."""
    return _ANSWERS.get(said.strip().lower(), said.split())


def _seen_from_outside(session: Session, window: Mapping[str, Any]) -> tuple[str, str]:
    """Return the hub's address as another machine dials it, and the certificate to expect there; the console's page
    Nodes says the same."""
    url = session.access.url
    reach: dict[str, Any] = window.get("reach") or {}
    if not is_loopback(url) or not reach.get("url"):
        return url, session.trust.certificate
    return reach["url"], reach["certificate"]


def _granted(session: Session, commands: Sequence[str], *, bare: bool, yes: bool) -> list[str]:
    if bare or commands:
        return list(commands)
    if yes or not session.may_ask:
        return [EVERYTHING]
    session.output.note(
        "What may it be asked? Names of tools by spaces, * for everything that it offers, - for nothing."
    )
    return permitted(str(click.prompt("Permit", default=EVERYTHING, err=True)))


def _request(session: Session, named: str | None) -> dict[str, Any]:
    """Return the request with this id, or the only one that waits."""
    waiting: list[dict[str, Any]] = session.invoke("nodes.requests")["requests"]
    found = [each for each in waiting if named in (None, each["request_id"], each["fingerprint"])]
    if len(found) == 1:
        return found[0]
    if found:
        raise HubError("usage", f"{len(found)} machines ask to be nodes", hint="Name one: instar node pending")
    cause = f"no machine asks as {named!r}" if named else "no machine asks to be a node"
    raise HubError("not_found", cause, hint="See: instar node pending. A request ends after five minutes.")


def _asked(request: dict[str, Any]) -> list[tuple[str, object]]:
    facts = request["facts"]
    declared: dict[str, Any] = request.get("declaration") or {}
    offers: list[str] = declared.get("commands") or []
    return [
        ("request", request["request_id"]),
        ("fingerprint", request["fingerprint"] or "none: it has no key"),
        ("platform", f"{facts.get('platform', '')} {facts.get('family', '')}".strip() or "-"),
        ("version", facts.get("version", "") or "-"),
        ("from", request.get("address", "") or "this machine"),
        ("offers", ", ".join(offers) or "what it says once it is let in"),
    ]


def _name(request: dict[str, Any]) -> str:
    return visible(str(request["facts"].get("name") or request["device_id"][:12]))
