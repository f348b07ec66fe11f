"""The table of the security bar: every row is there, and every test that it names."""

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"([\w/]+\.py)::([\w:]+\*?)")
ROWS = {int(number): told for number, _, told in ROW.findall(PAGE.read_text().partition("## The bar")[2])}
NOT_YET = frozenset({10, 21, 30, 45, 47})
"""Rows that wait for what they are about; whoever brings that takes the row from here."""


def names_in(module: Path) -> set[str]:
    tree = ast.parse(module.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")}


def test_no_row_is_missing() -> None:
    assert sorted(ROWS) == list(range(1, 51))


def test_what_waits_is_known() -> None:
    assert {number for number, told in ROWS.items() if told.startswith("not yet: ")} == NOT_YET


@pytest.mark.parametrize("number", sorted(ROWS.keys() - NOT_YET))
def test_each_row_names_tests_that_exist(number: int) -> None:
    named = NAMED.findall(ROWS[number])
    assert named
    for module, name in named:
        last = name.rpartition("::")[2]
        assert any(fnmatchcase(test, last) for test in names_in(TESTS / module)), f"{module}::{name}"


def test_each_test_of_a_row_stands_in_its_row() -> None:
    for module in ("test_bar.py", "test_process.py"):
        for name in names_in(Path(__file__).with_name(module)):
            number = int(name.split("_")[2])
            assert f"security/{module}::test_row_{number}_" in ROWS[number], name
