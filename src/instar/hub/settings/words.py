"""What the settings mean, in words: which values a key takes, and the docstring of its field."""

import ast
import inspect
from functools import cache
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from instar.hub.identity import policy

from . import tree
from .keys import KEYS


def allowed(key: str) -> str:
    """Return in words which values a key takes."""
    return _words(KEYS[key].type)


def _words(kind: Any) -> str:  # noqa: ANN401 - a type expression
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        return _words(base) + "".join(_bounds(meta) for meta in metas)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is list:
        return "a list of texts (comma-separated in the environment)"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]


def _bounds(meta: msgspec.Meta) -> str:
    """Return in words what a constraint demands."""
    parts = {
        " of at least ": meta.ge,
        " greater than ": meta.gt,
        " of at most ": meta.le,
        " matching ": meta.pattern,
        " with at most this many characters: ": meta.max_length,
    }
    return "".join(f"{words}{bound}" for words, bound in parts.items() if bound is not None)


@cache
def meanings() -> dict[str, str]:
    """Return key → the docstring of its field, read from the source once."""
    docs = {**_attribute_docs(tree), **_attribute_docs(policy)}
    found: dict[str, str] = {}
    for key in KEYS:
        struct: type = tree.Settings
        *sections, name = key.split(".")
        for section in sections:
            struct = next(field.type for field in msgspec.structs.fields(struct) if field.name == section)
        found[key] = docs.get((struct.__name__, name), "")
    return found


def _attribute_docs(module: ModuleType) -> dict[tuple[str, str], str]:
    """Return (class, attribute) → the docstring that follows the attribute."""
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(field.target, ast.Name):
                found[node.name, field.target.id] = " ".join(ast.literal_eval(after.value).split())
    return found
