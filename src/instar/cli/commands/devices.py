"""`instar devices …`: who was let in with a key of its own, and who asks to be."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer
from instar.cli.scopes import ScopeChoice, one_of
from instar.cli.session import Session
from instar.cli.texts import nearest, plain, relative, table, visible
from instar.client.errors import HubError

ROLES = ("operator", "node")
_SHORT = 12
_PREFIX_MIN = 6
"""So many first characters of an id stand for it, if they stand for one alone."""
_DEVICE = click.argument("device")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@command("instar devices list", name="list")
def list_(session: Session) -> Answer:
    """List devices.

    Revoked ones are among them; tokens never are.
    """
    found = session.invoke("devices.list")
    heads = ("DEVICE", "NAME", "PLATFORM", "ROLES", "SCOPES", "SEEN")
    lines = table(heads, map(_row, found["devices"]), empty="There is no device. See: instar pairing --help")
    return Answer(found, lines, rows=found["devices"])


@command("instar devices requests", "instar devices requests --json")
def requests(session: Session) -> Answer:
    """List the devices that ask to be let in."""
    found = session.invoke("devices.requests")
    heads = ("REQUEST", "NAME", "PLATFORM", "ROLE", "SCOPES", "FINGERPRINT", "ENDS")
    rows = [
        (
            each["id"], _name(each), each["facts"].get("platform", ""), each["role"], ",".join(each["scopes"]),
            each.get("fingerprint", "-"), relative(each["expires_at"]),
        )
        for each in found["requests"]
    ]  # fmt: skip
    return Answer(found, table(heads, rows, empty="Nobody asks to be let in."), rows=found["requests"])


@command("instar devices show laptop")
@_DEVICE
def show(session: Session, device: str) -> Answer:
    """Show one device.

    DEVICE is an id or its beginning, an alias, or the name of one device.
    """
    found = session.invoke("devices.get", device_id=device_id(session, device))
    return Answer(found, table(("DEVICE", found["id"]), _facts(found)))


@command("instar devices approve --yes", "instar devices approve --scope observe --yes --json")
@click.argument("request", required=False)
@click.option("--scope", "scopes", multiple=True, type=ScopeChoice(), help=one_of("Give only this; may be repeated."))
@click.option("--agent", "agent_ids", multiple=True, help="It speaks only for these agents.")
@click.option("--room", "room_ids", multiple=True, help="It is confined to these rooms.")
@click.option("--expires", type=DURATION, metavar="30d", help="Its rights end after this time.")
@_YES
def approve(
    session: Session,
    request: str | None,
    *,
    scopes: tuple[str, ...],
    agent_ids: tuple[str, ...],
    room_ids: tuple[str, ...],
    expires: float | None,
    yes: bool,
) -> Answer:
    """Let a device in.

    Compare the fingerprint with what the device itself shows. REQUEST may be left out while one device asks.
    What is shown is what is approved: a device that asks for something else meanwhile has to be looked at again.
    """
    wanted = _request(session, request)
    given = list(scopes) or list(wanted["scopes"])
    if session.output.form == "text":
        session.output.note("\n".join(table(("DEVICE", _name(wanted)), _asked(wanted, given))))
    session.confirm("Does the device show this fingerprint, and may it do this?", yes=yes)
    device = session.invoke(
        "devices.approve",
        request_id=wanted["id"],
        digest=wanted["digest"],
        scopes=list(scopes) or None,
        agents=list(agent_ids) or None,
        rooms=list(room_ids) or None,
        expires_in_s=expires,
    )
    return Answer(device, [f"Let {_name(device)} in as {wanted['role']}: {', '.join(given) or 'no scopes'}."])


@command("instar devices reject --yes")
@click.argument("request", required=False)
@_YES
def reject(session: Session, request: str | None, *, yes: bool) -> Answer:
    """Turn a device away.

    REQUEST may be left out while one device asks.
    """
    wanted = _request(session, request)
    session.confirm(f"Turn {_name(wanted)} ({wanted.get('fingerprint', 'no key')}) away?", yes=yes)
    done = session.invoke("devices.reject", request_id=wanted["id"])
    return Answer(done, [f"Turned {_name(wanted)} away."])


@command('instar devices rename laptop "Ada\'s laptop"')
@_DEVICE
@click.argument("name")
def rename(session: Session, device: str, name: str) -> Answer:
    """Call a device something else."""
    renamed = session.invoke("devices.rename", device_id=device_id(session, device), name=name)
    return Answer(renamed, [f"It is called {_name(renamed)} now."])


@command("instar devices rotate laptop --yes --json")
@_DEVICE
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="Of this role.")
@click.option("--scope", "scopes", multiple=True, type=ScopeChoice(), help=one_of("Narrow it to this."))
@_YES
def rotate(session: Session, device: str, *, role: str, scopes: tuple[str, ...], yes: bool) -> Answer:
    """Replace a device's token.

    The old one ends at once, and the device's connections with it. The new one is printed once.
    """
    known = device_id(session, device)
    session.confirm(f"End the token of {device} ({role}) and everything that is connected with it?", yes=yes)
    made = session.invoke("devices.rotate", device_id=known, role=role, scopes=list(scopes) or None)
    if session.output.form == "text":
        session.output.note(f"The token of {device}, shown once:")
    return Answer(made, [made["token"]])


@command("instar devices revoke laptop --yes")
@_DEVICE
@click.option("--role", type=click.Choice(ROLES), help="Only this role; else all, and the key is refused.")
@_YES
def revoke(session: Session, device: str, *, role: str | None, yes: bool) -> Answer:
    """End a device's rights.

    Its connections close within a second. Its key is refused until the device is removed.
    """
    known = device_id(session, device)
    session.confirm(f"End the rights of {device}{f' as {role}' if role else ''}?", yes=yes)
    done = session.invoke("devices.revoke", device_id=known, role=role)
    return Answer(done, [f"Ended the rights of {_name(done)}."])


@command("instar devices remove laptop --yes")
@_DEVICE
@_YES
def remove(session: Session, device: str, *, yes: bool) -> Answer:
    """Forget a device.

    Its key may ask to be let in again.
    """
    known = device_id(session, device)
    session.confirm(f"Forget {device}?", yes=yes)
    return Answer(session.invoke("devices.remove", device_id=known), [f"Forgot {device}."])


def device_id(session: Session, named: str) -> str:
    """Return the id of the device that a person named: by id or its beginning, alias, fingerprint or name.

    Raises:
        HubError: `not_found` with a near name; `conflict` when the name stands for several.
    """
    known: list[dict[str, Any]] = session.invoke("devices.list")["devices"]
    exact = [each for each in known if named in (each["id"], each.get("alias"), each.get("fingerprint"))]
    living = [each for each in known if not each.get("revoked_at")]
    called = [each for each in living if _name(each) == named] or [each for each in known if _name(each) == named]
    begun = [each for each in known if len(named) >= _PREFIX_MIN and each["id"].startswith(named)]
    for found in (exact, called, begun):
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            ids = ", ".join(each["id"][:_SHORT] for each in found)
            raise HubError("conflict", f"{len(found)} devices are called {named!r}", hint=f"Use an id: {ids}")
    near = nearest(named, {_name(each) for each in living})
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar devices list"
    raise HubError("not_found", f"there is no device {named!r}", hint=hint)


def _request(session: Session, named: str | None) -> dict[str, Any]:
    """Return the request with this id, or the only one that waits."""
    waiting: list[dict[str, Any]] = session.invoke("devices.requests")["requests"]
    found = [each for each in waiting if named in (None, each["id"], each.get("fingerprint"))]
    if len(found) == 1:
        return found[0]
    if found:
        raise HubError("usage", f"{len(found)} devices ask to be let in", hint="Name one: instar devices requests")
    cause = f"no device asks as {named!r}" if named else "nobody asks to be let in"
    raise HubError("not_found", cause, hint="See: instar devices requests. A request ends after five minutes.")


def _asked(request: dict[str, Any], given: Sequence[str]) -> list[tuple[str, object]]:
    facts = request["facts"]
    return [
        ("fingerprint", request.get("fingerprint", "none: it has no key")),
        ("platform", f"{facts.get('platform', '')} {facts.get('family', '')}".strip() or "-"),
        ("from", request.get("address", "") or "this machine"),
        ("role", request["role"]),
        ("asks for", ", ".join(request.get("asked") or request["scopes"]) or "-"),
        ("gets", ", ".join(given) or "-"),
        ("because", request.get("reason", "not-paired")),
    ]


def _facts(device: dict[str, Any]) -> list[tuple[str, object]]:
    facts = device["facts"]
    grants = [
        (each["role"], f"{', '.join(each['scopes'])}; used {_ago(each.get('last_used_at'))}")
        for each in device.get("grants", ())
    ]
    return [
        ("name", _name(device)),
        ("fingerprint", device.get("fingerprint", "none: it shows its token alone")),
        ("platform", plain([facts[name] for name in ("platform", "family", "model", "version") if facts.get(name)])),
        ("dialect", device.get("dialect", "") or "-"),
        ("approved by", device.get("approved_by", "") or "-"),
        ("seen", _ago(device.get("last_seen_at"))),
        ("revoked", _ago(device.get("revoked_at"))),
        *grants,
    ]


def _row(device: dict[str, Any]) -> Sequence[object]:
    grants = device.get("grants", ())
    roles = ",".join(each["role"] for each in grants) or ("revoked" if device.get("revoked_at") else "-")
    scopes = ",".join(dict.fromkeys(scope for each in grants for scope in each["scopes"])) or "-"
    platform = device["facts"].get("platform", "") or "-"
    return device["id"][:_SHORT], _name(device), platform, roles, scopes, _ago(device.get("last_seen_at"))


def _name(named: dict[str, Any]) -> str:
    own = named["facts"].get("name") or named.get("alias") or named.get("device_id", named["id"])[:_SHORT]
    return visible(str(own))


def _ago(at: str | None) -> str:
    return relative(at) if at else "-"


COMMAND = Group(
    "devices",
    "Devices: programs and machines with a key of their own.",
    examples=("instar devices list",),
    default="list",
    commands=[list_, requests, show, approve, reject, rename, rotate, revoke, remove],
)
