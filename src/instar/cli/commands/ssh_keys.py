"""`instar ssh keys …`: the keys that the hub shows to SSH hosts."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import nearest, relative, table, visible
from instar.client.errors import HubError
from instar.client.http import JsonObject

_PROTECTED = "passphrase"
_KEY = click.argument("key")


@command("instar ssh keys list", name="list")
def list_(session: Session) -> Answer:
    """List managed keys.

    Their private halves are encrypted on the hub and never shown.
    """
    found = session.invoke("ssh.keys")
    heads = ("NAME", "FINGERPRINT", "TARGETS", "MADE", "STATE")
    empty = "There is no managed key. Make one: instar ssh keys generate NAME"
    return Answer(found, table(heads, map(_row, found["keys"]), empty=empty), rows=found["keys"])


@command("instar ssh keys show deploy")
@_KEY
def show(session: Session, key: str) -> Answer:
    """Print a key's public half, as authorized_keys takes it."""
    found = _found(session, key)
    return Answer(found, [found["public_key"]])


@command("instar ssh keys generate ci", "instar ssh keys generate nightly --json")
@click.argument("name")
def generate(session: Session, name: str) -> Answer:
    """Make an Ed25519 key.

    Its public half is printed: append it to ~/.ssh/authorized_keys on the machines that it shall open.
    """
    made = session.invoke("ssh.generate_key", name=name)
    if session.output.form == "text":
        session.output.note("Append this to ~/.ssh/authorized_keys on the machines that it shall open:")
    return Answer(made, [made["public_key"]])


@command("instar ssh keys import laptop id_ed25519", name="import")
@click.argument("name")
@click.argument("file", type=click.File())
@click.option("--passphrase", "is_protected", is_flag=True, help="Ask for the passphrase, or read a line of stdin.")
def import_(session: Session, name: str, file: Any, *, is_protected: bool) -> Answer:  # noqa: ANN401 - an open file
    """Take a private key (OpenSSH or PEM).

    One that is protected needs its passphrase: you are asked for it, or it is read from standard input. It is used
    once and not kept; the hub keeps the key encrypted with a key of its own.
    """
    content = file.read()
    passphrase = session.secret("Passphrase of the key") if is_protected else ""
    try:
        made = session.invoke("ssh.import_key", name=name, private_key=content, passphrase=passphrase)
    except HubError as error:
        if is_protected or not session.may_ask or _PROTECTED not in error.message:
            raise
        passphrase = session.secret("Passphrase of the key")
        made = session.invoke("ssh.import_key", name=name, private_key=content, passphrase=passphrase)
    return Answer(made, [f"Took {made['name']} ({made['fingerprint']})."])


@command("instar ssh keys remove spare --yes")
@_KEY
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, key: str, *, yes: bool) -> Answer:
    """Remove a managed key that no target uses.

    Machines keep letting it in until its line is removed from their authorized_keys.
    """
    found = _found(session, key)
    session.confirm(f"Remove the key {found['name']} ({found['fingerprint']})?", yes=yes)
    return Answer(session.invoke("ssh.remove_key", ssh_key_id=found["id"]), [f"Removed {found['name']}."])


def _found(session: Session, named: str) -> JsonObject:
    known: list[JsonObject] = session.invoke("ssh.keys")["keys"]
    for each in known:
        if named in (each["id"], each["fingerprint"]) or named.lower() == each["name"].lower():
            return each
    near = nearest(named, [str(each["name"]) for each in known])
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar ssh keys"
    raise HubError("not_found", f"there is no managed key {named!r}", hint=hint)


def _row(key: JsonObject) -> Sequence[object]:
    state = "ok" if key.get("is_readable", True) else "CANNOT BE DECRYPTED"
    return visible(key["name"]), key["fingerprint"], key.get("targets", 0), relative(key["created_at"]), state


KEYS = Group(
    "keys",
    "Managed keys: list, show, generate, import, remove.",
    examples=("instar ssh keys list",),
    default="list",
    commands=[list_, show, generate, import_, remove],
)
