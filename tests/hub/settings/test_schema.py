import jsonschema
import pytest
from ruamel.yaml import YAML

from instar.hub.settings.keys import KEYS
from instar.hub.settings.schema import file_schema

GOOD = [
    "",
    "{}",
    "listen: ':1'",
    "listen: {address: ':1', compat: [':2']}",
    "log:",
    "log: {level: debug}",
    "data_dir: /x",
]
BAD = ["- a", "log: {level: loud}", "logs: {}", "log: {colour: red}", "loops: {max_hops: 0}", "server: {access_log: 1}"]


@pytest.mark.parametrize(("text", "is_good"), [*((text, True) for text in GOOD), *((text, False) for text in BAD)])
def test_it_says_what_the_loader_says(text: str, is_good: bool) -> None:
    schema = file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(YAML(typ="safe").load(text)) is is_good


def test_every_key_is_described() -> None:
    properties = file_schema()["properties"]
    for key in KEYS:
        section, _, name = key.rpartition(".")
        branch = properties[section] if section else {"properties": properties}
        branch = next((one for one in branch.get("anyOf", ()) if "properties" in one), branch)
        found = branch["properties"][name]
        assert {"description", "default", "x-instar-reload", "x-instar-env"} <= found.keys()
        assert found.get("x-instar-secret", False) is (key in ("auth.token", "auth.password"))
