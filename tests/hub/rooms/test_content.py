from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.rooms.content import check_parts, is_plain
from instar.wire.limits import JSON_DEPTH_MAX, PARTS_MAX
from instar.wire.messages import Part, PartKind


def nested(levels: int, kind: type = dict) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels - 1):
        value = {"a": value} if kind is dict else [value]
    return {"a": value}


@pytest.mark.parametrize(
    "part",
    [
        Part(PartKind.TEXT),
        Part(PartKind.URL, url="https://host/x"),
        Part(PartKind.URL, url="molt:///rooms/x"),
        Part(PartKind.DATA, data=nested(JSON_DEPTH_MAX)),
        Part(PartKind.DATA, data=nested(JSON_DEPTH_MAX, list)),
        Part(PartKind.IMAGE, filename="x.png", media_type="image/png"),
    ],
)
def test_accepted(part: Part) -> None:
    assert check_parts([part]) is is_plain(part)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [Part(PartKind.TEXT, "x")] * (PARTS_MAX + 1),
        [Part(PartKind.URL, url="ftp://host")],
        [Part(PartKind.URL, url="javascript:alert(1)")],
        [Part(PartKind.URL, url="https:///path")],
        [Part(PartKind.TEXT, "x", url="https://[")],
        [Part(PartKind.DATA, data=nested(JSON_DEPTH_MAX + 1))],
        [Part(PartKind.DATA, data=nested(JSON_DEPTH_MAX + 1, list))],
    ],
)
def test_refused(parts: list[Part]) -> None:
    with pytest.raises(InstarError) as caught:
        check_parts(parts)
    assert caught.value.code == "unprocessable_entity"
