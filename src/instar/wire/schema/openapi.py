"""OpenAPI 3.1 of `/v1`, from the operation table."""

from typing import Any

from instar.wire.codes import CODES
from instar.wire.operation import Body, Operation
from instar.wire.table import TABLE

from .components import REF, Schema, name_of, schemas, split

_ERROR: Schema = {
    "type": "object",
    "required": ["code", "error", "request_id"],
    "properties": {
        "code": {"type": "string", "description": "A code of the error table."},
        "error": {"type": "string", "description": "What failed and why."},
        "hint": {"type": "string", "description": "The next step."},
        "retryable": {"type": "boolean"},
        "retry_after_s": {"type": "number"},
        "detail": {"type": "object"},
        "request_id": {"type": "string"},
    },
}


def openapi(version: str) -> dict[str, Any]:
    """Return the OpenAPI document of this version of the hub."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in TABLE.values():
        if operation.route is not None:
            paths.setdefault(operation.route.path, {})[operation.route.method.lower()] = _entry(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Instar",
            "version": version,
            "description": "moltnet.http.v1 with additive fields. Made from the operation table.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**schemas(), "Problem": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _entry(operation: Operation[Any, Any]) -> dict[str, Any]:
    assert operation.route is not None
    fields = split(operation)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": schema} for name, schema in fields.path.items()
    ]
    parameters += [
        {"name": name, "in": "query", "required": name in fields.required_query, "schema": schema}
        for name, schema in fields.query.items()
    ]
    if operation.idempotent:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}})
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.name.partition(".")[0]],
        "x-instar-right": f"{operation.verb} {operation.object}",
        "responses": {
            **_successes(operation),
            "default": {
                "description": f"One of: {', '.join(CODES)}",
                "content": {"application/json": {"schema": {"$ref": REF.format(name="Problem")}}},
            },
        },
    }
    if parameters:
        entry["parameters"] = parameters
    if operation.route.body is Body.BYTES:
        entry["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    elif fields.body is not None:
        entry["requestBody"] = {
            "required": "required" in fields.body,
            "content": {"application/json": {"schema": fields.body}},
        }
    return entry


def _successes(operation: Operation[Any, Any]) -> dict[str, Any]:
    """Return the answers of an operation that is done; bytes and lines have no schema."""
    assert operation.route is not None
    route = operation.route
    is_json = route.media_type == "application/json"
    schema: dict[str, Any] = {"schema": {"$ref": REF.format(name=name_of(operation.result))}} if is_json else {}
    done = {str(route.status): {"description": "Done", "content": {route.media_type: schema}}}
    if route.repeat_status:
        done[str(route.repeat_status)] = {"description": "Was done before", "content": {route.media_type: schema}}
    return done
