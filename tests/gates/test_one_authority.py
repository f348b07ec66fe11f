"""Grants and callers are made where the law says, and nowhere else: read off the source, so that no path is missed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import instar

SOURCE = Path(instar.__file__).parent
GRANTS = {
    "hub/identity/attenuation.py": "narrows a holder's: the one way to pass a right on",
    "hub/identity/roots.py": "the rights that nobody passed on",
    "hub/identity/grant_table.py": "reads one back from its row",
    "hub/identity/keyring.py": "reads one back from its event",
}
CALLERS = {
    "hub/identity/authentication.py": "the one `authenticate`",
    "hub/identity/keyring.py": "the callers that a token makes, ready before it is presented",
    "hub/identity/standing.py": "a schedule acts by a right that still holds, with nobody connected",
    "server/first_start.py": "the first start makes rooms and agents as the hub itself",
}
CHANGED = {
    "hub/identity/attenuation.py": "a connection uses fewer scopes",
    "hub/identity/minting.py": "what a session makes hangs on its lender, whose rights are the same",
    "hub/identity/roots.py": "who registers an agent speaks for it",
    "hub/identity/people/handlers.py": "the stored person, not a grant",
}
"""Where a copy of a grant, or of what holds one, is made with other fields."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            yield (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")), node


def files_that(what: str) -> set[str]:
    """Return the files with a call of this name; for `replace`, those of identity that change a grant's fields."""
    found: set[str] = set()
    fields = {"scopes", "agents", "rooms", "expires_at", "parent", "grant", "held"}
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, call in calls(tree):
            changes = {keyword.arg for keyword in call.keywords}
            is_grants = bool(changes & fields) and path.is_relative_to(SOURCE / "hub" / "identity")
            if name == what and (what != "replace" or is_grants):
                found.add(str(path.relative_to(SOURCE)))
    return found


@pytest.mark.parametrize(("name", "places"), [("Grant", GRANTS), ("Caller", CALLERS), ("replace", CHANGED)])
def test_made_where_it_may_be(name: str, places: dict[str, str]) -> None:
    assert files_that(name) == places.keys()


def test_one_function_authenticates_and_one_narrows() -> None:
    definitions = [
        (node.name, str(path.relative_to(SOURCE)))
        for path in (SOURCE / "hub").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name in {"attenuate", "may"}
    ]
    assert sorted(definitions) == [("attenuate", "hub/identity/attenuation.py"), ("may", "hub/identity/authority.py")]
