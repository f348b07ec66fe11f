"""JSON Schema 2020-12 of every wire type, and how an operation's parameters split over path, query and body."""

import re
from typing import Any, NamedTuple

import msgspec

from instar.wire.agents import AgentEvent
from instar.wire.events import EventView, ReplayGap
from instar.wire.messages import Edit, Message, ReactionChange, Redaction
from instar.wire.native import frames
from instar.wire.operation import Body, Operation
from instar.wire.runs import RunUpdate, Signal
from instar.wire.table import TABLE

Schema = dict[str, Any]
REF = "#/components/schemas/{name}"
_PATH_FIELD = re.compile(r"\{(\w+)\}")


class Split(NamedTuple):
    """Where each parameter of an operation travels over HTTP."""

    path: dict[str, Schema]
    query: dict[str, Schema]
    required_query: frozenset[str]
    body: Schema | None


def schemas() -> dict[str, Schema]:
    """Return the JSON Schema of every type of the operation table, the events, signals, run updates and the link."""
    payloads = [Message, Edit, Redaction, ReactionChange, AgentEvent, ReplayGap]
    types: list[Any] = [EventView, *payloads, Signal, RunUpdate, frames.ClientFrame, frames.HubFrame]
    for operation in TABLE.values():
        types += [operation.params, operation.result]
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    return dict(sorted(components.items()))


def name_of(struct: type[msgspec.Struct]) -> str:
    """Return the component name of a type."""
    (reference,), _ = msgspec.json.schema_components([struct], ref_template="{name}")
    return reference["$ref"]


def path_fields(path: str) -> list[str]:
    """Return the parameters in braces of a route's path."""
    return _PATH_FIELD.findall(path)


def split(operation: Operation[Any, Any]) -> Split:
    """Say which parameters travel in the path, the query and the body of the operation's route.

    Raises:
        LookupError: A path parameter is no field of the parameters, or the operation has no route.
    """
    if operation.route is None:
        raise LookupError(f"{operation.name} has no route")
    _, components = msgspec.json.schema_components([operation.params], ref_template=REF)
    whole = components[name_of(operation.params)]
    properties: dict[str, Schema] = dict(whole.get("properties", {}))
    required = set(whole.get("required", ()))
    path = {field: properties.pop(field) for field in path_fields(operation.route.path)}
    in_query = operation.route.method in {"GET", "DELETE", "HEAD"} or operation.route.body is Body.BYTES
    if in_query:
        return Split(path, properties, frozenset(required & properties.keys()), None)
    if not properties:
        return Split(path, {}, frozenset(), None)
    body: Schema = {"type": "object", "properties": properties}
    if still_required := sorted(required & properties.keys()):
        body["required"] = still_required
    return Split(path, {}, frozenset(), body)
