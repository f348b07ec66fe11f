"""The docstrings of the tree are its documentation."""

import ast
import inspect
from types import ModuleType

import pytest

from instar.hub.identity import policy
from instar.hub.settings import tree


@pytest.mark.parametrize("module", [tree, policy])
def test_every_setting_is_documented(module: ModuleType) -> None:
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node), node.name
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign):
                    documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                    assert documented, f"{node.name}.{ast.unparse(field.target)}"
