"""People: who signs in with a name and a password."""

from typing import Annotated

from msgspec import Meta, Struct

from .identity import ConsoleSession, Id, Name, Scope
from .limits import PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS
from .operation import Nothing, ObjectKind, Operation, Route, Verb

Login = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$")]
"""What a person types to sign in; case does not matter."""
Password = Annotated[str, Meta(min_length=PASSWORD_MIN_CHARS, max_length=PASSWORD_MAX_CHARS)]


class Person(Struct, frozen=True, omit_defaults=True):
    """A person with a password. The password is never shown, nor its hash."""

    id: str
    """Of the principal."""
    login: str
    name: str
    scopes: list[Scope]
    created_at: str
    rooms: list[str] | None = None
    disabled_at: str = ""
    last_used_at: str = ""


class AddPerson(Struct, omit_defaults=True):
    """A new person, with rights within the creator's own grant."""

    login: Login
    password: Password
    scopes: Annotated[list[Scope], Meta(min_length=1)]
    name: Name = ""
    rooms: list[Id] | None = None


class PersonRef(Struct):
    """One person by login or id."""

    person_id: Login


class SetPassword(Struct):
    """Give a person another password; every session of theirs ends. One's own needs the current one."""

    person_id: Login
    password: Password
    current: Annotated[str, Meta(max_length=PASSWORD_MAX_CHARS)] = ""


class PersonList(Struct, frozen=True):
    """People by login; disabled ones included."""

    people: list[Person]


class PasswordSignIn(Struct):
    """Sign a browser in with a name and a password."""

    login: Login
    password: Annotated[str, Meta(max_length=PASSWORD_MAX_CHARS)]


ADD = Operation(
    "people.add", AddPerson, Person, Verb.GRANT, ObjectKind.PERSON,
    "Add a person who signs in with a password", Route("POST", "/v1/people", 201), audited=True,
)  # fmt: skip
LIST = Operation(
    "people.list", Nothing, PersonList, Verb.GRANT, ObjectKind.PERSON, "List people", Route("GET", "/v1/people")
)
SET_PASSWORD = Operation(
    "people.set_password", SetPassword, Person, Verb.MANAGE, ObjectKind.PERSON,
    "Change a password; that person's sessions end", Route("POST", "/v1/people/{person_id}/password"), audited=True,
)  # fmt: skip
DISABLE = Operation(
    "people.disable", PersonRef, Person, Verb.GRANT, ObjectKind.PERSON,
    "Let a person in no more; sessions end within a second", Route("POST", "/v1/people/{person_id}/disable"),
    audited=True,
)  # fmt: skip
ENABLE = Operation(
    "people.enable", PersonRef, Person, Verb.GRANT, ObjectKind.PERSON,
    "Let a disabled person in again", Route("POST", "/v1/people/{person_id}/enable"), audited=True,
)  # fmt: skip
REMOVE = Operation(
    "people.remove", PersonRef, Person, Verb.GRANT, ObjectKind.PERSON,
    "Remove a person for good; what they said stays", Route("DELETE", "/v1/people/{person_id}"), audited=True,
)  # fmt: skip
PASSWORD = Operation(
    "auth.password", PasswordSignIn, ConsoleSession, Verb.ENTER, ObjectKind.HUB,
    "Sign a person in with a password", Route("POST", "/v1/auth/password"),
)  # fmt: skip

OPERATIONS = (ADD, LIST, SET_PASSWORD, DISABLE, ENABLE, REMOVE, PASSWORD)
