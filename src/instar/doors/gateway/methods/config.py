"""Configuration: the settings tree, read and written in the dialect's way. What may be changed is the hub's to say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.doors.gateway import settings_tree as trees
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke
from instar.wire import settings as w
from instar.wire.hub import NETWORK, Network
from instar.wire.operation import Nothing

NO_BASE = "config base hash required; re-run config.get and retry"
STALE = "config changed since last load; re-run config.get and retry"
NO_RESTART = "Instar does not restart by itself: these keys hold with its next start"


@dataclass(slots=True)
class Present:
    """The settings file as it stands."""

    file: w.SettingsFile
    settings: list[w.Setting]
    tree: trees.Tree
    """What the file says."""


async def _present(call: Call) -> Present:
    file: w.SettingsFile = await invoke(call, w.FILE, Nothing())
    listed: w.SettingList = await invoke(call, w.LIST, Nothing())
    return Present(file, listed.settings, trees.file_tree(file.text, listed.settings))


async def get(call: Call) -> dict[str, Any]:
    """Show the settings file and what holds, without secrets. Who may not see it is shown what the card says."""
    try:
        here = await _present(call)
    except InstarError as error:
        if error.code != "forbidden":
            raise
        return await _card(call)
    return {
        "path": here.file.path,
        "exists": here.file.exists,
        "raw": json.dumps(here.tree, indent=2, ensure_ascii=False) if here.file.exists else None,
        "parsed": here.tree,
        "valid": not here.file.issues,
        "config": trees.effective_tree(here.settings),
        "hash": here.file.hash,
        "issues": [{"path": "", "message": issue} for issue in here.file.issues],
        "warnings": [],
        "legacyIssues": [],
    }


async def _card(call: Call) -> dict[str, Any]:
    """Return what everybody who may come in may know of the settings. Without a hash nothing can be based on it."""
    card: Network = await invoke(call, NETWORK, Nothing())
    known: trees.Tree = {"network": {"id": card.id, "name": card.name}}
    told: dict[str, Any] = {"path": None, "exists": True, "raw": None, "parsed": known, "valid": True, "config": known}
    return told | {"issues": [], "warnings": [], "legacyIssues": [], "restricted": True}


async def set_config(call: Call) -> dict[str, Any]:
    """Write the whole file; comments and the order of what stays are kept.

    Raises:
        InstarError: `bad_request` for a missing base hash or a value that does not fit, `conflict` for a stale one,
            `host_only`.
    """
    here = await _based(call)
    return await _write(call, here, trees.parsed(call.params.raw))


async def apply(call: Call) -> dict[str, Any]:
    """The same, with a note.

    Raises:
        InstarError: As `config.set`.
    """
    here = await _based(call)
    return await _write(call, here, trees.parsed(call.params.raw), call.params.note)


async def patch(call: Call) -> dict[str, Any]:
    """Merge a patch into the file: null removes. A list loses entries only where that is said.

    Raises:
        InstarError: As `config.set`.
    """
    here = await _based(call)
    after = trees.merged(here.tree, trees.parsed(call.params.raw))
    lost = trees.lost_entries(here.tree, after, [one.key for one in here.settings])
    if unsaid := [key for key in lost if key not in call.params.replace_paths]:
        raise InstarError(
            "bad_request",
            f"config.patch would remove entries of {', '.join(unsaid)}",
            hint="Name the lists in `replacePaths`, or send them whole.",
            detail={"paths": unsaid},
        )
    return await _write(call, here, after, call.params.note)


async def _based(call: Call) -> Present:
    """Return the file as it stands, if the client knows it so."""
    here = await _present(call)
    if here.file.exists and not call.params.base_hash:
        raise InstarError("bad_request", NO_BASE)
    if call.params.base_hash not in ("", here.file.hash):
        raise InstarError("conflict", STALE, detail={"hash": here.file.hash})
    return here


async def _write(call: Call, here: Present, after: trees.Tree, note: str = "") -> dict[str, Any]:
    changed = trees.changes(here.tree, after, here.settings)
    if secret := [key for key, value in changed.items() if value == trees.REDACTED]:
        raise InstarError("bad_request", f"invalid config: no value of {secret[0]} is known, so none can be kept")
    done = await _changed(call, w.ChangeSettings(changed, here.file.hash, note)) if changed else None
    fresh = await _present(call)
    told: dict[str, Any] = {"ok": True, "path": fresh.file.path, "hash": fresh.file.hash}
    told |= {"config": trees.effective_tree(fresh.settings), "restart": None, "sentinel": None}
    if done is not None and done.needs_restart:
        told["restart"] = {"scheduled": False, "reason": NO_RESTART, "keys": done.needs_restart}
    if done is not None and done.shadowed:
        told["shadowed"] = done.shadowed
    return told


async def _changed(call: Call, wanted: w.ChangeSettings) -> w.SettingsChanged:
    try:
        return await invoke(call, w.CHANGE, wanted)
    except InstarError as error:
        if error.code == "conflict":
            raise InstarError("conflict", STALE, detail=error.detail) from None
        if error.code not in ("bad_request", "unprocessable_entity"):
            raise
        issues = [{"path": next(iter(wanted.changes)), "message": error.message}]
        raise InstarError("bad_request", f"invalid config: {error.message}", detail={"issues": issues}) from None


async def schema(call: Call) -> dict[str, Any]:
    """Show the schema of the file, and of each key what it means."""
    found: w.SettingsSchema = await invoke(call, w.SCHEMA, Nothing())
    listed: w.SettingList = await invoke(call, w.LIST, Nothing())
    hints = {one.key: _hint(one) for one in listed.settings}
    return {"schema": found.schema, "uiHints": hints, "version": found.version, "generatedAt": to_rfc3339(now())}


def _hint(setting: w.Setting) -> dict[str, Any]:
    told: dict[str, Any] = {"label": setting.key, "help": setting.meaning, "tags": [str(setting.reload)]}
    return told | ({"sensitive": True} if setting.is_secret else {})


async def lookup(call: Call) -> dict[str, Any]:
    """Show one place of the tree and what stands beneath it.

    Raises:
        InstarError: `not_found`.
    """
    path = call.params.path.strip(". ")
    listed: w.SettingList = await invoke(call, w.LIST, Nothing())
    found: w.SettingsSchema = await invoke(call, w.SCHEMA, Nothing())
    known = {one.key: one for one in listed.settings}
    beneath = sorted({_child(path, key) for key in known if key.startswith(f"{path}." if path else "")})
    if path not in known and not beneath:
        raise InstarError("not_found", f"config schema path not found: {path[:200]}")
    told: dict[str, Any] = {"path": path, "schema": _node(found.schema, path)}
    if path in known:
        told |= {"reloadKind": trees.RELOAD_KINDS[known[path].reload], "hint": _hint(known[path]), "hintPath": path}
    return told | {"children": [_row(path, name, known, found.schema) for name in beneath]}


def _child(path: str, key: str) -> str:
    return key.removeprefix(f"{path}." if path else "").partition(".")[0]


def _row(path: str, name: str, known: Mapping[str, w.Setting], schema_of: dict[str, Any]) -> dict[str, Any]:
    key = f"{path}.{name}" if path else name
    row: dict[str, Any] = {"key": name, "path": key, "required": False, "hasChildren": key not in known}
    if kind := _node(schema_of, key).get("type"):
        row["type"] = kind
    if key in known:
        row |= {"reloadKind": trees.RELOAD_KINDS[known[key].reload], "hint": _hint(known[key]), "hintPath": key}
    return row


def _node(whole: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the schema of one place, without what stands beneath it."""
    found: Any = _resolved(whole, whole)
    for name in path.split(".") if path else ():
        found = _resolved(whole, found.get("properties", {}).get(name, {}))
    return {name: value for name, value in cast("dict[str, Any]", found).items() if name not in ("properties", "$defs")}


def _resolved(whole: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for choice in (node, *node.get("allOf", ()), *node.get("anyOf", ())):
        reference = choice.get("$ref", "")
        if reference:
            return whole["$defs"][reference.rpartition("/")[2]]
    return node


HANDLERS: Mapping[str, Handler] = {
    "config.get": get,
    "config.schema": schema,
    "config.schema.lookup": lookup,
    "config.set": set_config,
    "config.patch": patch,
    "config.apply": apply,
}
