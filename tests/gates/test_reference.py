"""What is documented is what is: the generated reference is in step, and nothing is left out of it."""

import importlib.util
from pathlib import Path

import jsonschema
import pytest

from instar import __version__
from instar.wire.codes import CODES
from instar.wire.schema.asyncapi import asyncapi
from instar.wire.schema.components import schemas
from instar.wire.schema.openapi import openapi
from instar.wire.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
assert SPEC is not None
assert SPEC.loader is not None
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)
PAGES = reference.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_in_step(name: str) -> None:
    path = ROOT / name
    assert path.read_text() == PAGES[name], "run `make docs`"


def test_every_limit_has_a_row() -> None:
    assert all(f"`{limit.name}`" in PAGES["docs/reference/limits.md"] for limit in reference.read_limits())


def test_every_limit_has_a_unit_or_is_a_count() -> None:
    for limit in reference.read_limits():
        if isinstance(limit.value, float):
            assert reference.unit_of(limit.name), f"{limit.name} is a float without a unit in its name"


def test_every_code_has_its_four_parts() -> None:
    for code, row in CODES.items():
        assert 400 <= row.status < 600, code
        assert row.meaning.endswith("."), code
        assert row.hint.endswith("."), code


def test_every_code_raised_in_the_source_is_in_the_table() -> None:
    raised = set()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text()
        raised |= {piece.split('"')[1] for piece in text.split("InstarError(")[1:] if piece.lstrip().startswith('"')}
    assert raised - CODES.keys() == set()


def test_every_schema_is_a_schema() -> None:
    for name, schema in schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema), name


def test_every_route_is_in_openapi_once() -> None:
    paths = openapi(__version__)["paths"]
    served = {(operation.route.method.lower(), operation.route.path) for operation in TABLE.values() if operation.route}
    assert served == {(method, path) for path, methods in paths.items() for method in methods}
    assert len(served) == sum(operation.route is not None for operation in TABLE.values())


def test_every_reference_of_asyncapi_resolves() -> None:
    document = asyncapi(__version__)
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            assert message["payload"]["$ref"].rsplit("/", 1)[1] in document["components"]["schemas"]


def test_examples_fit_their_parameters() -> None:
    for operation in TABLE.values():
        if operation.example is not None:
            jsonschema.validate(
                operation.example, {"$ref": f"#/$defs/{operation.params.__name__}", "$defs": _local_schemas()}
            )


def _local_schemas() -> dict[str, object]:
    import json

    return json.loads(json.dumps(schemas()).replace("#/components/schemas/", "#/$defs/"))
