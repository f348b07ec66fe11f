"""Every error code is produced by at least one test: a code that nothing can be made to say is a promise untried."""

import ast
from pathlib import Path

import pytest

from instar.wire.codes import CODES

ROOT = Path(__file__).resolve().parents[2]
EXCEPTIONS: dict[str, str] = {}
"""Codes without a producing test, and why."""
TABLES = {"test_codes_produced.py", "test_exits.py", "test_problem.py"}
"""Tests that name codes without making anything say them."""
CHECKERS = ("raises", "refus", "expect", "parametrize", "answered", "ended")
"""Pieces of the names of calls in which a code is something that is checked for."""


def checked_words(tree: ast.AST) -> set[str]:
    """Return every string that stands in an assertion, in the arguments of a checking call, or in a decorator."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found |= words(node.test)
        elif isinstance(node, ast.Call) and any(piece in ast.unparse(node.func).lower() for piece in CHECKERS):
            found |= words(node)
    return found


def words(tree: ast.AST) -> set[str]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {str(node.value) for node in nodes}


@pytest.fixture(scope="module")
def checked() -> set[str]:
    paths = [path for folder in ("tests", "faults") for path in (ROOT / folder).rglob("test_*.py")]
    trees = [ast.parse(path.read_text()) for path in paths if path.name not in TABLES]
    return set().union(*(checked_words(tree) for tree in trees))


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_test_produces_it(code: str, checked: set[str]) -> None:
    if code in EXCEPTIONS:
        assert code not in checked, "a test produces it now: take it from the exceptions"
    else:
        assert code in checked


def test_exceptions_are_codes_with_reasons() -> None:
    assert EXCEPTIONS.keys() <= CODES.keys()
    assert all(EXCEPTIONS.values())
