"""JSON Schema 2020-12 of the gateway's dialect: frames, `connect` of each generation, and each method's parameters.

It is made of the structs that decode, so decoding is this schema; a test holds both against one corpus.
"""

from typing import Any

import msgspec

from instar.wire.gateway.connect import MoltisConnect, V3Connect, V4Connect
from instar.wire.gateway.events import EVENTS
from instar.wire.gateway.frames import Event, MoltisRequest, Request, Response
from instar.wire.gateway.method import Generation, Method
from instar.wire.gateway.methods import METHODS, SERVED

Schema = dict[str, Any]
REF = "#/$defs/{name}"
FRAMES: dict[str, type[msgspec.Struct]] = {
    "request": Request,
    "request.moltis": MoltisRequest,
    "response": Response,
    "event": Event,
}
CONNECT: dict[Generation, type[msgspec.Struct]] = {
    Generation.V3: V3Connect,
    Generation.V4: V4Connect,
    Generation.MOLTIS: MoltisConnect,
}


def gateway_schema() -> Schema:
    """Return the document."""
    shapes = [*FRAMES.values(), *CONNECT.values()]
    shapes += [method.params_for(generation) for method in METHODS.values() for generation in method.generations]
    types = list(dict.fromkeys(shapes))
    references, definitions = msgspec.json.schema_components(types, ref_template=REF)
    of = dict(zip(types, references, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The gateway's dialect: frames, connect, and the parameters of each method",
        "frames": {name: of[struct] for name, struct in FRAMES.items()},
        "connect": {str(generation): of[struct] for generation, struct in CONNECT.items()},
        "methods": {name: _method(method, of) for name, method in sorted(METHODS.items())},
        "events": {name: _event(name) for name in sorted(EVENTS)},
        "$defs": dict(sorted(definitions.items())),
    }


def _method(method: Method, of: dict[type[msgspec.Struct], Schema]) -> Schema:
    generations = sorted(method.generations)
    return {
        "summary": method.summary,
        "isServed": method.name in SERVED,
        "scope": {str(generation): method.scope_for(generation) for generation in generations},
        "needsKey": method.needs_key,
        "params": {str(generation): of[method.params_for(generation)] for generation in generations},
    }


def _event(name: str) -> Schema:
    row = EVENTS[name]
    return {
        "summary": row.summary,
        "scope": row.scope,
        "isDroppable": row.is_droppable,
        "generations": sorted(map(str, row.generations)),
    }
