"""The route index, and how path, query and body become parameters."""

from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.doors.network.routes import Endpoint, Routes
from instar.wire import agents, delivery, messages, rooms
from instar.wire.limits import BODY_MAX_BYTES
from instar.wire.operation import Nothing, ObjectKind, Operation, Verb
from instar.wire.table import TABLE

from .requests import request

ROUTES = Routes()
ROUTED = [operation for operation in TABLE.values() if operation.route is not None]


def example_path(operation: Any) -> str:
    path = operation.route.path
    for field in msgspec.structs.fields(operation.params):
        path = path.replace("{" + field.encode_name + "}", "sha256-" + "0" * 64 if "blob" in field.name else "x1")
    return path


@pytest.mark.parametrize("operation", ROUTED, ids=lambda operation: operation.name)
def test_every_operation_is_found_at_its_route(operation: Any) -> None:
    found = ROUTES.find(operation.route.method, example_path(operation))
    assert found is not None
    assert found[0].operation is operation
    assert found[0].status == operation.route.status


@pytest.mark.parametrize("operation", ROUTED, ids=lambda operation: operation.name)
async def test_every_example_is_accepted(operation: Any) -> None:
    if operation.example is None:
        return
    path = example_path(operation)
    for name, value in operation.example.items():
        path = path.replace("{" + name + "}", str(value))
    is_get = operation.route.method == "GET"
    query = {name: str(value) for name, value in operation.example.items()} if is_get else {}
    body = b"" if is_get else msgspec.json.encode(operation.example)
    endpoint, segments = ROUTES.find(operation.route.method, operation.route.path) or (None, ())
    assert endpoint is not None
    params = await endpoint.params(request(operation.route.method, path, body, query=query), segments)
    assert isinstance(params, operation.params)


def test_a_static_segment_wins_over_a_parameter() -> None:
    found = ROUTES.find("POST", "/v1/agents/register")
    assert found is not None
    assert found[0].operation is agents.REGISTER


def test_head_is_found_where_get_is() -> None:
    found = ROUTES.find("HEAD", "/v1/rooms/general")
    assert found is not None
    assert found[0].operation is rooms.GET


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/rooms", ["GET", "HEAD", "POST"]),
        ("/v1/rooms/r1", ["DELETE", "GET", "HEAD", "PATCH"]),
        ("/v1/messages", ["POST"]),
        ("/v1/rooms/r1/members", ["PATCH"]),
        ("/v1/nothing", []),
        ("/v1/rooms/", []),
        ("/v1/rooms/r1/", []),
        ("/", []),
    ],
)
def test_allowed_methods(path: str, allowed: list[str]) -> None:
    assert ROUTES.allowed(path) == allowed


async def params_of(method: str, path: str, body: bytes = b"", **query: str) -> Any:
    found = ROUTES.find(method, path)
    assert found is not None
    return await found[0].params(request(method, path, body, query=query), found[1])


async def test_path_query_and_body_meet() -> None:
    assert await params_of("GET", "/v1/agents/beta/inbox", wait="1.5", lease="false", limit="3") == delivery.ReadInbox(
        agent_id="beta", wait=1.5, lease=False, limit=3
    )
    assert await params_of("PATCH", "/v1/rooms/r1/members", b'{"add":["a"],"room_id":"other"}') == rooms.UpdateMembers(
        room_id="r1", add=["a"]
    )
    assert await params_of("DELETE", "/v1/messages/m1", reason="spam") == messages.RedactMessage("m1", "spam")
    assert await params_of("DELETE", "/v1/messages/m1", b'{"reason":"spam"}') == messages.RedactMessage("m1", "spam")
    assert await params_of("GET", "/v1/search", q="hi", unknown="x", **{"from": "beta"}) == messages.SearchQuery(
        q="hi", from_="beta"
    )


async def test_optional_bodies_may_be_empty() -> None:
    assert await params_of("POST", "/v1/stop") == agents.StopAll()
    assert await params_of("POST", "/v1/agents/a/pause") == agents.AgentRef("a")
    assert await params_of("PUT", "/v1/messages/m1/reactions/+1") == messages.ReactMessage("m1", "+1")


async def test_an_upload_takes_its_type_from_the_header() -> None:
    endpoint, segments = ROUTES.find("POST", "/v1/uploads") or (None, ())
    assert endpoint is not None
    asked = request(
        "POST", "/v1/uploads", b"...", query={"filename": "a.png"}, headers={"content-type": "image/PNG; x=1"}
    )
    assert await endpoint.params(asked, segments) == messages.Upload("a.png", "image/png")


ROOM = b'"target":{"kind":"room","room_id":"r"}'
TEXT = b'"parts":[{"kind":"text","text":"hi"}]'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_request"),
        (b"   ", "bad_request"),
        (b"{", "bad_request"),
        (b"[]", "bad_request"),
        (b'"text"', "bad_request"),
        (b"null", "bad_request"),
        (b"{" + ROOM + b"," + TEXT + b"} {}", "bad_request"),
        (b"{} {}", "bad_request"),
        (b'{"target":"room","parts":[]}', "bad_request"),
        (b'{"parts":[{"kind":"text","text":"\xff"}],' + ROOM + b"}", "bad_request"),
        (b'{"x":' + b"[" * 100_000, "bad_request"),
        (b'{"x":"' + b"a" * BODY_MAX_BYTES + b'"}', "bad_request"),
        (b"{}", "unprocessable_entity"),
        (b"{" + ROOM + b"}", "unprocessable_entity"),
        (b"{" + ROOM + b',"parts":[]}', "unprocessable_entity"),
        (b'{"target":{"kind":"sky"},' + TEXT + b"}", "unprocessable_entity"),
        (b"{" + ROOM + b',"parts":[{"kind":"hologram"}]}', "unprocessable_entity"),
    ],
    ids=range(17),
)
async def test_bodies_that_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(InstarError) as refused:
        await params_of("POST", "/v1/messages", body)
    assert refused.value.code == code


async def test_unknown_members_are_ignored_and_an_empty_origin_is_read() -> None:
    sent = b"{" + ROOM + b"," + TEXT + b',"new":1,"origin":{"network_id":"","message_id":""}}'
    params = await params_of("POST", "/v1/messages", sent)
    assert params.origin == messages.Origin("", "")


@pytest.mark.parametrize("path", ["/v1/rooms", "/v1/agents/register", "/v1/apply", "/v1/messages"])
async def test_the_dialects_routes_want_a_body(path: str) -> None:
    with pytest.raises(InstarError) as refused:
        await params_of("POST", path)
    assert refused.value.code == "bad_request"


async def test_a_query_value_that_does_not_fit_names_its_field() -> None:
    with pytest.raises(InstarError, match="wait") as refused:
        await params_of("GET", "/v1/agents/a/inbox", wait="soon")
    assert refused.value.code == "unprocessable_entity"


async def test_a_body_member_of_another_type_is_a_bad_request() -> None:
    with pytest.raises(InstarError, match="add") as refused:
        await params_of("PATCH", "/v1/rooms/r1/members", b'{"add":"a"}')
    assert refused.value.code == "bad_request"


async def test_other_failures_of_reading_the_body_pass() -> None:
    async def fail(limit: int) -> bytes:
        raise InstarError("timeout", "the body came too slowly")

    found = ROUTES.find("POST", "/v1/messages")
    assert found is not None
    asked = request("POST", "/v1/messages")
    asked.read_body = fail
    with pytest.raises(InstarError, match="slowly"):
        await found[0].params(asked, found[1])


def test_an_operation_without_a_route_is_not_reached() -> None:
    hidden = Operation("x.y", Nothing, Nothing, Verb.ENTER, ObjectKind.HUB, "Do nothing")
    assert Routes([hidden]).allowed("/") == []
    with pytest.raises(LookupError):
        Endpoint(hidden)
