"""`instar users …`: people who sign in with a password."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.scopes import ScopeChoice, one_of
from instar.cli.session import Session
from instar.cli.texts import relative, table

_LOGIN = click.argument("login")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@command("instar users list", name="list")
def list_(session: Session) -> Answer:
    """List people.

    Disabled ones are among them; passwords never are.
    """
    found = session.invoke("people.list")
    heads = ("LOGIN", "NAME", "SCOPES", "ROOMS", "STATE", "SIGNED IN")
    return Answer(found, table(heads, map(_row, found["people"]), empty="There is no person."), rows=found["people"])


@command("instar users add ada --scope observe --scope write < password.txt")
@_LOGIN
@click.option("--name", default="", help="Display name.")
@click.option("--scope", "scopes", multiple=True, required=True, type=ScopeChoice(), help=one_of("May be repeated."))
@click.option("--room", "room_ids", multiple=True, help="Confined to these rooms.")
def add(session: Session, login: str, *, name: str, scopes: tuple[str, ...], room_ids: tuple[str, ...]) -> Answer:
    """Add a person who signs in with a password.

    The password is asked for, or read as one line of standard input. It needs 12 characters.
    """
    person = session.invoke(
        "people.add",
        login=login,
        name=name,
        scopes=list(scopes),
        rooms=list(room_ids) or None,
        password=session.secret(f"Password of {login}", is_new=True),
    )
    return Answer(person, [f"{login} may sign in at the console: {', '.join(person['scopes'])}."])


@command("instar users passwd ada < password.txt")
@_LOGIN
@click.option("--own", is_flag=True, help="It is your own: the current one is asked for first.")
def passwd(session: Session, login: str, *, own: bool) -> Answer:
    """Change a person's password.

    Every session of theirs ends. Passwords are asked for, or read as lines of standard input: with --own the current
    one comes first.
    """
    current = session.secret("Current password") if own else ""
    password = session.secret(f"New password of {login}", is_new=True)
    done = session.invoke("people.set_password", person_id=login, password=password, current=current)
    return Answer(done, [f"Changed the password of {login}; sessions of theirs have ended."])


@command("instar users disable ada --yes")
@_LOGIN
@_YES
def disable(session: Session, login: str, *, yes: bool) -> Answer:
    """Disable a person.

    Sessions of theirs end within a second.
    """
    session.confirm(f"Let {login} in no more?", yes=yes)
    return Answer(session.invoke("people.disable", person_id=login), [f"{login} is let in no more."])


@command("instar users enable ada")
@_LOGIN
def enable(session: Session, login: str) -> Answer:
    """Enable a disabled person."""
    return Answer(session.invoke("people.enable", person_id=login), [f"{login} may sign in again."])


@command("instar users remove ada --yes")
@_LOGIN
@_YES
def remove(session: Session, login: str, *, yes: bool) -> Answer:
    """Remove a person for good.

    What they said stays.
    """
    session.confirm(f"Remove {login} for good?", yes=yes)
    return Answer(session.invoke("people.remove", person_id=login), [f"Removed {login}."])


def _row(person: dict[str, Any]) -> Sequence[object]:
    state = f"disabled {relative(person['disabled_at'])}" if person.get("disabled_at") else "active"
    used = relative(person["last_used_at"]) if person.get("last_used_at") else "never"
    rooms = ", ".join(person["rooms"]) if person.get("rooms") is not None else "all"
    return person["login"], person["name"] or "-", ",".join(person["scopes"]), rooms, state, used


COMMAND = Group(
    "users",
    "Users: people who sign in with a password.",
    examples=("instar users list",),
    default="list",
    commands=[list_, add, passwd, disable, enable, remove],
)
