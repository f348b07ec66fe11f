"""`instar keys …`."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents, rooms
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer
from instar.cli.scopes import ScopeChoice, one_of
from instar.cli.session import Session
from instar.cli.texts import nearest, relative, table
from instar.client.errors import HubError


@command("instar keys create --name ci --scope write --expires 30d --json")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, required=True, type=ScopeChoice(), help=one_of("May be repeated."))
@click.option("--agent", "agent_ids", multiple=True, shell_complete=agents, help="Speaks only for these agents.")
@click.option("--room", "room_ids", multiple=True, shell_complete=rooms, help="Confined to these rooms.")
@click.option("--expires", type=DURATION, metavar="30d", help="Ends after this time.")
def create(
    session: Session,
    *,
    name: str,
    scopes: tuple[str, ...],
    agent_ids: tuple[str, ...],
    room_ids: tuple[str, ...],
    expires: float | None,
) -> Answer:
    """Make a key with a token.

    The token is printed once: with --json as the member `token`. A key is never wider than the one that makes it.
    """
    made = session.invoke(
        "keys.create",
        name=name,
        scopes=list(scopes),
        agents=list(agent_ids) or None,
        rooms=list(room_ids) or None,
        expires_in_s=expires,
    )
    return _token(session, made)


@command("instar keys list", name="list")
def list_(session: Session) -> Answer:
    """List keys.

    Sessions and the rights of devices and people are among them, and what was revoked or has expired; tokens never are.
    """
    found = session.invoke("keys.list")
    heads = ("KEY", "NAME", "KIND", "SCOPES", "AGENTS", "ENDS", "LAST USED")
    return Answer(found, table(heads, map(_row, found["keys"]), empty="There is no key."), rows=found["keys"])


@command("instar keys revoke ci --yes")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
def revoke(session: Session, key: str, *, yes: bool) -> Answer:
    """Revoke a key.

    KEY is an id, or the name of one living key. Its live sockets close within a second.
    """
    key_id = _id(session, key)
    session.confirm(f"Revoke the key {key} ({key_id})?", yes=yes)
    return Answer(session.invoke("keys.revoke", key_id=key_id), [f"Revoked {key_id}."])


@command("instar keys rotate ci --json")
@click.argument("key")
def rotate(session: Session, key: str) -> Answer:
    """Replace a key's token.

    KEY is an id, or the name of one living key. The old token ends at once; the new one is printed once.
    """
    return _token(session, session.invoke("keys.rotate", key_id=_id(session, key)))


def _token(session: Session, made: dict[str, Any]) -> Answer:
    """Return the token as the one line of output, and what surrounds it as a note."""
    if session.output.form == "text":
        session.output.note(f"The token of {made['key']['id']}, shown once:")
    return Answer(made, [made["token"]])


def _id(session: Session, key: str) -> str:
    """Return the id of the key with this id or name."""
    known: list[dict[str, Any]] = session.invoke("keys.list")["keys"]
    if any(entry["id"] == key for entry in known):
        return key
    living = [entry for entry in known if not entry.get("revoked_at")]
    named = [str(entry["id"]) for entry in living if entry["name"] == key]
    if len(named) == 1:
        return named[0]
    if named:
        raise HubError("conflict", f"{len(named)} keys are named {key!r}", hint=f"Use an id: {', '.join(named)}")
    near = nearest(key, {str(entry["name"]) for entry in living})
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar keys list"
    raise HubError("not_found", f"there is no key {key!r}", hint=hint)


def _row(key: dict[str, Any]) -> Sequence[object]:
    ends = "revoked" if key.get("revoked_at") else relative(key["expires_at"]) if key.get("expires_at") else "never"
    used = relative(key["last_used_at"]) if key.get("last_used_at") else "-"
    agents = ",".join(key.get("agents") or ()) or "-"
    return key["id"], key["name"], key.get("kind", "key"), ",".join(key["scopes"]), agents, ends, used


COMMAND = Group(
    "keys",
    "Keys: tokens for agents, services and people.",
    examples=("instar keys list",),
    default="list",
    commands=[create, list_, revoke, rotate],
)
