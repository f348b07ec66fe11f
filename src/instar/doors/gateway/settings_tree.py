"""The settings as the dialect's config: a tree of sections, with every secret out of sight. IO-free."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from instar.base.errors import InstarError
from instar.wire.json5 import Json5Error, parse_json5
from instar.wire.settings import Reload, Setting

REDACTED = "__OPENCLAW_REDACTED__"
"""What stands for a secret, read and written."""
MASK = "(set)"
"""What the hub shows of a secret."""
RELOAD_KINDS = {Reload.LIVE: "hot", Reload.RESTART: "restart", Reload.HOST: "restart"}

Tree = dict[str, Any]


def file_tree(text: str, settings: Sequence[Setting]) -> Tree:
    """Return what a settings file says; a file that nobody can read says nothing."""
    try:
        content: object = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType]
    except (YAMLError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    tree = cast("Tree", content)
    for setting in settings:
        if setting.is_secret and value_at(tree, setting.key) == MASK:
            put(tree, setting.key, REDACTED)
    return tree


def effective_tree(settings: Sequence[Setting]) -> Tree:
    """Return the settings that hold."""
    tree: Tree = {}
    for setting in settings:
        put(tree, setting.key, REDACTED if setting.is_secret and setting.value else setting.value)
    return tree


def parsed(raw: str) -> Tree:
    """Return the tree that a client wrote.

    Raises:
        InstarError: `bad_request` when it is no JSON5 object.
    """
    try:
        tree = parse_json5(raw)
    except Json5Error as error:
        raise InstarError("bad_request", f"invalid config: {error}") from None
    if not isinstance(tree, dict):
        raise InstarError("bad_request", "config raw must be an object", hint='Send `{"section": {"key": value}}`.')
    return cast("Tree", tree)


def merged(tree: Tree, patch: Tree) -> Tree:
    """Return a tree with the members of a patch merged in: null removes, an object merges, all else replaces."""
    fresh = dict(tree)
    for name, value in patch.items():
        if value is None:
            fresh.pop(name, None)
        elif isinstance(value, dict):
            beneath = fresh.get(name)
            fresh[name] = merged(cast("Tree", beneath) if isinstance(beneath, dict) else {}, cast("Tree", value))
        else:
            fresh[name] = value
    return fresh


def lost_entries(before: Tree, after: Tree, keys: Sequence[str]) -> list[str]:
    """Return the keys of lists that lose entries, of those that both trees have."""
    lost: list[str] = []
    for key in keys:
        old, new = value_at(before, key), value_at(after, key)
        if isinstance(old, list) and isinstance(new, list):
            kept = cast("list[Any]", new)
            if any(entry not in kept for entry in cast("list[Any]", old)):
                lost.append(key)
    return lost


def changes(before: Tree, after: Tree, settings: Sequence[Setting]) -> dict[str, Any]:
    """Return what has to be changed to come from one tree to the other, by key; None removes.

    A secret that is out of sight in both stays what it is.
    """
    keys = {setting.key for setting in settings}
    old, new = dict(_leaves(before, keys)), dict(_leaves(after, keys))
    changed = {key: value for key, value in new.items() if key not in old or old[key] != value}
    return changed | {key: None for key in old if key not in new}


def _leaves(tree: Mapping[str, Any], keys: set[str], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        key = f"{path}.{name}" if path else name
        if isinstance(value, dict) and key not in keys:
            found += _leaves(cast("Tree", value), keys, key)
        elif value is not None or key in keys:  # an empty section says nothing
            found.append((key, cast("Any", value)))
    return found


def value_at(tree: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - the value of any setting
    """Return what stands at a key; None: nothing."""
    found: Any = tree
    for name in key.split("."):
        found = cast("Tree", found).get(name) if isinstance(found, dict) else None
    return found


def put(tree: Tree, key: str, value: Any) -> None:  # noqa: ANN401 - the value of any setting
    """Put a value at a key, with the sections above it."""
    *path, name = key.split(".")
    for section in path:
        beneath = tree.get(section)
        if not isinstance(beneath, dict):
            tree[section] = beneath = {}
        tree = cast("Tree", beneath)
    tree[name] = value
