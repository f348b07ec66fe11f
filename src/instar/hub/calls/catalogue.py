"""The tools that a model is shown: names, descriptions and JSON Schemas, made of the structs that nodes decode."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from instar.policy.routing import TargetFacts
from instar.wire.agent_tools import AgentTool
from instar.wire.limits import (
    AGENT_EXEC_MAX_S,
    AGENT_EXEC_S,
    PATH_MAX_CHARS,
    SHELL_LINE_MAX_CHARS,
    TARGET_MAX_CHARS,
)
from instar.wire.tools import TOOLS

NODES_LIST = "nodes_list"
NODES_DESCRIBE = "nodes_describe"
NODES_SELECT = "nodes_select"
EXEC = "exec"
FILE_TOOLS = (
    "read_file", "write_file", "edit_file", "list", "glob", "grep", "apply_patch", "process", "fetch",
)  # fmt: skip
"""Tools of `wire.tools` that a model uses under the same name; `exec` stands for `shell`."""
_NAMED_MAX = 20
"""Machines that a description names."""


class ListNodes(Struct, forbid_unknown_fields=True):
    """List the machines that commands can run on, with what they are and how they are."""


class DescribeNode(Struct, forbid_unknown_fields=True):
    """Show one machine: platform, what it can do, memory, load, installed runtimes, providers of models."""

    node: Annotated[str, Meta(min_length=1, max_length=TARGET_MAX_CHARS, description="Its id or name.")]


class SelectNode(Struct, forbid_unknown_fields=True):
    """Choose the machine that this conversation's commands run on from now on; null takes the choice back."""

    node: Annotated[str, Meta(max_length=TARGET_MAX_CHARS, description="Its id, name or labels; null: none.")] | None


class RunCommand(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Run a shell command and return what it wrote and its exit code."""

    command: Annotated[str, Meta(min_length=1, max_length=SHELL_LINE_MAX_CHARS, description="The line, for `sh -c`.")]
    timeout: Annotated[
        float, Meta(gt=0, le=AGENT_EXEC_MAX_S, description="Seconds after which it and what it started is killed.")
    ] = AGENT_EXEC_S
    working_dir: Annotated[str, Meta(max_length=PATH_MAX_CHARS, description="Absolute; empty: the machine's own.")] = ""


_NODE: dict[str, Any] = {"type": "string", "maxLength": TARGET_MAX_CHARS}
_OWN: dict[str, type[Struct]] = {
    NODES_LIST: ListNodes,
    NODES_DESCRIBE: DescribeNode,
    NODES_SELECT: SelectNode,
    EXEC: RunCommand,
}


def names() -> Sequence[str]:
    """Return every tool's name."""
    return (*_OWN, *FILE_TOOLS)


def arguments_of(name: str) -> type[Struct]:
    """Return the struct of a tool's arguments, but for `node`."""
    return _OWN[name] if name in _OWN else TOOLS[name].params


def takes_node(name: str) -> bool:
    """Whether the tool runs on a machine that may be named."""
    return name == EXEC or name in FILE_TOOLS


def catalogue(targets: Sequence[TargetFacts]) -> list[AgentTool]:
    """Return every tool as it is now; `node` is among the arguments only when there is a choice."""
    reached = [each for each in targets if each.is_connected]
    has_choice = len(reached) > 1 or any(each.kind != "local" for each in reached)
    known = _known(reached, targets) if has_choice else ""
    return [_tool(name, known) for name in names()]


def _tool(name: str, known: str) -> AgentTool:
    parameters = _schema(arguments_of(name))
    description = str(parameters.pop("description", "")) or TOOLS[name].summary
    if known and takes_node(name):
        node = {**_NODE, "description": f"The machine to use instead of the chosen one. Connected now: {known}."}
        parameters["properties"] = {**parameters["properties"], "node": node}
    return AgentTool(name, description, parameters)


def _known(choices: Sequence[TargetFacts], targets: Sequence[TargetFacts]) -> str:
    """Return the choices by their names; a long id only where the name alone would not be enough."""
    bearers = Counter(each.name.casefold() for each in targets)
    shared = {name for name, count in bearers.items() if count > 1}
    return ", ".join(_named(each, shared) for each in choices[:_NAMED_MAX])


def _named(target: TargetFacts, shared: Collection[str]) -> str:
    if target.name in ("", target.id):
        return target.id
    return f"{target.name} ({target.id})" if target.name.casefold() in shared else target.name


def _schema(params: type[Struct]) -> dict[str, Any]:
    """Return a struct's JSON Schema in one piece."""
    schema = msgspec.json.schema(params)
    root = dict(schema["$defs"][params.__name__])
    root.pop("title", None)
    return {**root, "properties": root.get("properties", {}), "additionalProperties": False}
