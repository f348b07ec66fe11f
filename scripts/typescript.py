"""TypeScript types of the wire, from the same JSON Schema as everything else; the console compiles against them."""

from typing import Any

from instar.wire.operation import Body
from instar.wire.schema.components import schemas
from instar.wire.table import TABLE

HEAD = "// Made by `make docs` from the operation table. Do not edit.\n"


def type_of(schema: dict[str, Any]) -> str:
    """Return the TypeScript type of a JSON Schema."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(type_of(each) for each in schema[word]))
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    match schema.get("type"):
        case "array":
            item = type_of(schema.get("items", {}))
            return f"({item})[]" if "|" in item else f"{item}[]"
        case "object":
            values = schema.get("additionalProperties")
            return f"Record<string, {type_of(values) if isinstance(values, dict) else 'unknown'}>"
        case "integer" | "number":
            return "number"
        case "string" | "boolean" | "null" as name:
            return name
        case _:
            return "unknown"


def declaration(name: str, schema: dict[str, Any]) -> str:
    """Return the exported type of one component."""
    about = f"/** {schema['description']} */\n" if "description" in schema else ""
    if "properties" not in schema and schema.get("type") != "object":
        return f"{about}export type {name} = {type_of(schema)};\n"
    required = set(schema.get("required", ()))
    members = "".join(
        f'  "{field}"{"" if field in required else "?"}: {type_of(each)};\n'
        for field, each in schema.get("properties", {}).items()
    )
    return f"{about}export interface {name} {{\n{members}}}\n"


def typescript() -> str:
    """Return the module: one type per component, and the map of operations to parameters and results."""
    rows = "".join(
        f'  "{name}": {{ params: {operation.params.__name__}; result: {operation.result.__name__} }};\n'
        for name, operation in TABLE.items()
        if operation.route is None or operation.route.body is Body.JSON
    )
    types = "\n".join(declaration(name, schema) for name, schema in schemas().items())
    about = "/** Operation name to its parameters and result. */"
    return f"{HEAD}\n{types}\n{about}\nexport interface Operations {{\n{rows}}}\n"
