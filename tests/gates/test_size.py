"""No file over 500 lines, no function over 60, no class over 20 public methods, no forbidden word in a name."""

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
ALL = SOURCES + sorted(path for folder in ("scripts", "faults", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
FILE_MAX_LINES = 500
FUNCTION_MAX_LINES = 60
CLASS_MAX_METHODS = 20
FORBIDDEN = {"util", "utils", "helper", "helpers", "manager", "common", "misc", "stuff"}


class Function(NamedTuple):
    where: str
    lines: int


def functions(path: Path) -> list[Function]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            found.append(Function(f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1))
    return found


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_a_readers_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_MAX_LINES


def test_functions_are_short() -> None:
    assert [each for path in ALL for each in functions(path) if each.lines > FUNCTION_MAX_LINES] == []


def test_few_functions_are_long() -> None:
    every = [each.lines for path in SOURCES for each in functions(path)]
    assert sum(lines > 50 for lines in every) / len(every) <= 0.015


def test_half_of_all_files_are_small() -> None:
    sizes = sorted(len(path.read_text().splitlines()) for path in SOURCES)
    assert sizes[len(sizes) // 2] <= 150
    assert sizes[int(len(sizes) * 0.9)] <= 350


def test_classes_have_few_public_methods() -> None:
    crowded = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                methods = [
                    item.name
                    for item in node.body
                    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and not item.name.startswith("_")
                ]
                if len(methods) > CLASS_MAX_METHODS:
                    crowded.append(f"{path.relative_to(ROOT)}:{node.name} has {len(methods)}")
    assert crowded == []


def test_no_name_says_nothing() -> None:
    empty = []
    for path in SOURCES:
        names = [path.stem] + [
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        empty += [f"{path.relative_to(ROOT)}:{name}" for name in names if FORBIDDEN & set(name.lower().split("_"))]
    assert empty == []
