"""From a request to an operation and back: statuses, bodies, headers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.moltnet import shapes
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.network.attach import AttachSession
from instar.doors.network.door import NetworkDoor
from instar.doors.network.native import LinkSession
from instar.wire.agents import AgentRegistration
from instar.wire.http import Response, StreamResponse
from instar.wire.hub import Health
from instar.wire.identity import ConsoleSession, Principal, PrincipalKind, Scope, Whoami
from instar.wire.messages import BlobContent, MessageAccepted, Page, Uploaded
from instar.wire.operation import Nothing
from instar.wire.rooms import ExportEnd, Removed, Room, RoomPage, Visibility, WritePolicy

from .requests import request
from .stand_in import MADE, Hub
from .test_guides import network

ROOM = Room("r", "local", "molt://local/rooms/r", "r", Visibility.PRIVATE, WritePolicy.MEMBERS, MADE)
SENT = MessageAccepted("m1", "evt_1", True, False, False, 4)
BODY = b'{"target":{"kind":"room","room_id":"r"},"parts":[{"kind":"text","text":"hi"}]}'
BLOB = "sha256-" + "a" * 64


class StoredFile(BlobContent, frozen=True):
    path: Path = Path()


class Front:
    def __init__(self, door: NetworkDoor, hub: Hub) -> None:
        self.door = door
        self.hub = hub

    async def ask(self, method: str, path: str, body: bytes = b"", **more: Any) -> Response:
        answer = await self.door.handle(request(method, path, body, **more))
        assert isinstance(answer, Response)
        return answer

    async def lines(self, path: str, **more: Any) -> tuple[StreamResponse, bytes]:
        answer = await self.door.handle(request("GET", path, **more))
        assert isinstance(answer, StreamResponse)
        return answer, b"".join([chunk async for chunk in answer.chunks])


class Issued(ConsoleSession, frozen=True):
    """A session with its token beside it, as the hub answers a sign-in."""

    @property
    def token(self) -> str:
        return "session-token"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    tasks = TaskScope(lambda name, error: None)
    hub = Hub()
    door = NetworkDoor(hub, tasks, metrics=lambda: b"instar_streams 0\n")  # type: ignore[arg-type]
    yield Front(door, hub)
    await tasks.close()


def json_of(response: Response) -> Any:
    assert response.body.endswith(b"\n")
    return msgspec.json.decode(response.body)


async def test_a_message_is_202_and_passes_request_id_and_key(front: Front) -> None:
    front.hub.answers["messages.send"] = SENT
    answer = await front.ask("POST", "/v1/messages", BODY, headers={"idempotency-key": "k1"})
    assert answer.status == 202
    assert answer.content_type == "application/json"
    assert answer.route == "/v1/messages"
    assert shapes.decode(answer.body, shapes.MessageAccepted).message_id == "m1"
    _, _, more = front.hub.asked[0]
    assert more["idempotency_key"] == "k1"
    assert more["request_id"] == "req_1"
    assert more["body"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "answer", "status"),
    [
        ("GET", "/v1/rooms/r", b"", ROOM, 200),
        ("HEAD", "/v1/rooms/r", b"", ROOM, 200),
        ("POST", "/v1/rooms", b'{"id":"r"}', ROOM, 201),
        ("DELETE", "/v1/rooms/r", b"", Removed(True, "room", "r"), 200),
        ("POST", "/v1/uploads", b"bytes", Uploaded(BLOB, 5, "text/plain", "a"), 201),
    ],
)
async def test_statuses(front: Front, method: str, path: str, body: bytes, answer: Any, status: int) -> None:
    front.hub.answers = dict.fromkeys(("rooms.get", "rooms.create", "rooms.remove", "blobs.upload"), answer)
    assert (await front.ask(method, path, body)).status == status


async def test_an_upload_is_read_as_a_stream(front: Front) -> None:
    front.hub.answers["blobs.upload"] = Uploaded(BLOB, 5, "text/plain", "a")
    await front.ask("POST", "/v1/uploads", b"bytes")
    body = front.hub.asked[0][2]["body"]
    assert [chunk async for chunk in body()] == [b"bytes"]


@pytest.mark.parametrize(
    ("created", "token", "status"),
    [(True, "", 201), (True, "magt_v1_x", 201), (False, "magt_v1_x", 201), (False, "", 200)],
)
async def test_registration_says_whether_it_is_new(front: Front, created: bool, token: str, status: int) -> None:
    front.hub.answers["agents.register"] = AgentRegistration(
        "local", "beta", "actor_1", "molt://local/agents/beta", MADE, MADE, agent_token=token, created=created
    )
    answer = await front.ask("POST", "/v1/agents/register", b'{"requested_agent_id":"beta"}')
    assert answer.status == status
    shapes.decode(answer.body, shapes.AgentRegistration)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("bad_request", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not_found", 404),
        ("conflict", 409),
        ("id_reused", 409),
        ("unprocessable_entity", 422),
        ("rate_limited", 429),
        ("internal_error", 500),
        ("bad_gateway", 502),
        ("service_unavailable", 503),
    ],
)
async def test_errors_have_the_dialects_body_and_ours_after_it(front: Front, code: str, status: int) -> None:
    front.hub.answers["rooms.get"] = InstarError(code, "what failed", retry_after_s=1.2)
    answer = await front.ask("GET", "/v1/rooms/r")
    body = json_of(answer)
    assert answer.status == status
    assert list(body)[:2] == ["code", "error"]
    assert shapes.decode(answer.body, shapes.ErrorBody) == shapes.ErrorBody(code, body["error"], "req_1")
    assert body["hint"]
    assert ("retry-after", "2") in answer.headers
    assert (("www-authenticate", "Bearer") in answer.headers) is (status == 401)
    assert answer.route == "/v1/rooms/{room_id}"


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1/nothing", "/v1/rooms/r/x/y", "/v2"])
async def test_an_unknown_get_goes_to_the_console(front: Front, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await front.ask(method, path)
        assert answer.status == 307
        assert answer.headers == (("location", "/console/"),)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/nothing", "GET, HEAD"),
        ("GET", "/v1/messages", "POST"),
        ("PUT", "/v1/rooms", "GET, HEAD, POST"),
        ("DELETE", "/skill.md", "GET, HEAD"),
        ("OPTIONS", "/v1/rooms/r/members", "PATCH"),
    ],
)
async def test_other_methods_are_405_with_allow(front: Front, method: str, path: str, allow: str) -> None:
    answer = await front.ask(method, path)
    assert answer.status == 405
    assert ("allow", allow) in answer.headers
    assert json_of(answer)["code"] == "method_not_allowed"


async def test_the_console_is_not_this_doors(front: Front) -> None:
    assert await front.door.handle(request("GET", "/console/")) is None
    assert await front.door.handle(request("GET", "/console")) is None
    answer = await front.ask("GET", "/console/", query={"access_token": "t"})
    assert answer.status == 400
    assert (await front.ask("GET", "/", query={"access_token": "t"})).status == 400


async def test_a_wrong_credential_is_401_before_the_body_is_read(front: Front) -> None:
    answer = await front.ask("POST", "/v1/messages", b"garbage", headers={"authorization": "Bearer wrong"})
    assert answer.status == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_needs_no_credential(front: Front, path: str) -> None:
    front.hub.answers = {"hub.health": Health("ok"), "hub.ready": Health("ready")}
    assert (await front.ask("GET", path, headers={"authorization": "Bearer wrong"})).status == 200
    assert front.hub.asked[0][2]["caller"] is front.hub.nobody
    front.hub.answers = dict.fromkeys(("hub.health", "hub.ready"), InstarError("service_unavailable", "the store"))
    assert (await front.ask("GET", path)).status == 503


async def test_metrics_need_a_scope(front: Front) -> None:
    answer = await front.ask("GET", "/metrics")
    assert answer.body == b"instar_streams 0\n"
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    front.hub.caller.scopes = frozenset({Scope.WRITE})
    assert (await front.ask("GET", "/metrics")).status == 403


async def test_a_session_lives_in_a_cookie(front: Front) -> None:
    session = Issued(Principal("operator", PrincipalKind.OPERATOR), MADE)
    front.hub.answers |= {"auth.exchange": session, "auth.password": session}
    for path, body in (
        ("/v1/auth/exchange", b'{"code":"c1"}'),
        ("/v1/auth/password", b'{"login":"ada","password":"p"}'),
    ):
        answer = await front.ask("POST", path, body, headers={"cookie": "instar_session=wrong"})
        assert answer.status == 200
        assert b"session-token" not in answer.body
        assert dict(answer.headers)["set-cookie"].startswith("instar_session=session-token; Path=/")
    front.hub.answers["auth.logout"] = Nothing()
    ended = await front.ask("POST", "/v1/auth/logout")
    assert "Max-Age=0" in dict(ended.headers)["set-cookie"]


@pytest.mark.parametrize(
    ("media_type", "sent_as", "disposition"),
    [
        ("image/png", "image/png", "inline"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("text/html", "text/html", "attachment"),
        ("bad\r\nx: y", "application/octet-stream", "attachment"),
    ],
)
async def test_files_are_sent_for_what_they_are_safe_as(
    front: Front, tmp_path: Path, media_type: str, sent_as: str, disposition: str
) -> None:
    path = tmp_path / BLOB
    path.write_bytes(b"picture")
    front.hub.answers["blobs.get"] = StoredFile(BLOB, 7, media_type, 'ä"\r\n.png', path)
    answer, content = await front.lines(f"/v1/blobs/{BLOB}")
    headers = dict(answer.headers)
    assert content == b"picture"
    assert answer.content_type == sent_as
    assert headers["content-disposition"] == f"{disposition}; filename*=UTF-8''%C3%A4%22%0D%0A.png"
    assert "sandbox" in headers["content-security-policy"]


class Exported(ExportEnd, frozen=True):
    @property
    async def lines(self) -> AsyncIterator[bytes]:
        yield b'{"seq":1}\n'
        yield b'{"events":1}\n'


async def test_an_export_is_streamed(front: Front) -> None:
    front.hub.answers["rooms.export"] = Exported(0, 1, "00")
    answer, content = await front.lines("/v1/export", query={"room_id": "r"})
    assert answer.content_type == "application/x-ndjson"
    assert content == b'{"seq":1}\n{"events":1}\n'


@pytest.mark.parametrize(
    ("path", "content_type", "text"),
    [
        ("/install.md", "text/markdown", "# Join Lab"),
        ("/skill.md", "text/markdown", "name: moltnet"),
        ("/llms.txt", "text/plain", "http://127.0.0.1:8787/skill.md"),
    ],
)
async def test_documents(front: Front, path: str, content_type: str, text: str) -> None:
    front.hub.answers = {
        "hub.network": network(),
        "auth.whoami": Whoami(Principal("beta", PrincipalKind.AGENT), [Scope.WRITE], "bearer"),
        "rooms.list": RoomPage([ROOM], Page(False)),
    }
    answer = await front.ask("GET", path, headers={"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"})
    assert answer.content_type == f"{content_type}; charset=utf-8"
    assert text in answer.body.decode()
    assert b"evil" not in answer.body


async def test_pairings_that_are_not_there(front: Front) -> None:
    for part in ("network", "rooms", "agents"):
        answer = await front.ask("GET", f"/v1/pairings/p1/{part}")
        assert answer.status == 404
        assert json_of(answer)["code"] == "not_found"


async def test_the_stream_and_the_socket_over_plain_http(front: Front) -> None:
    head = await front.ask("HEAD", "/v1/events/stream")
    assert head.content_type == "text/event-stream"
    assert front.hub.feeds == []
    answer = await front.door.handle(request("GET", "/v1/events/stream"))
    assert isinstance(answer, StreamResponse)
    assert (await front.ask("GET", "/v1/attach")).status == 400


async def test_a_stream_counts_against_its_credential_or_address(front: Front) -> None:
    answer = await front.door.handle(request("GET", "/v1/events/stream"))
    assert isinstance(answer, StreamResponse)
    assert answer.principal == "key_1"
    front.hub.caller = front.hub.nobody
    answer = await front.door.handle(request("GET", "/v1/events/stream"))
    assert isinstance(answer, StreamResponse)
    assert answer.principal == "peer:127.0.0.1"


@pytest.mark.parametrize(
    ("offered", "session", "subprotocol"),
    [
        ("", AttachSession, None),
        ("something.else", AttachSession, None),
        ("other, instar.v1", LinkSession, "instar.v1"),
    ],
)
async def test_the_subprotocol_picks_the_session(front: Front, offered: str, session: type, subprotocol: Any) -> None:
    headers = {"sec-websocket-protocol": offered} if offered else {}
    upgrade = await front.door.upgrade(request("GET", "/v1/attach", headers=headers))
    assert upgrade is not None
    assert isinstance(upgrade.session, session)
    assert upgrade.subprotocol == subprotocol
    assert upgrade.principal == "key_1"


async def test_a_handshake_is_refused_as_http(front: Front) -> None:
    assert await front.door.upgrade(request("GET", "/ws")) is None
    for more in ({"headers": {"authorization": "Bearer wrong"}}, {"query": {"access_token": "t"}}):
        upgrade = await front.door.upgrade(request("GET", "/v1/attach", **more))  # type: ignore[arg-type]
        assert upgrade is not None
        assert upgrade.refusal is not None
        assert upgrade.refusal.status in {400, 401}
    front.hub.caller.scopes = frozenset({Scope.WRITE})
    upgrade = await front.door.upgrade(request("GET", "/v1/attach"))
    assert upgrade is not None
    assert upgrade.refusal is not None
    assert upgrade.refusal.status == 403


async def test_sixty_four_requests_at_once(front: Front) -> None:
    front.hub.answers["messages.send"] = SENT
    answers = await asyncio.gather(*(front.ask("POST", "/v1/messages", BODY) for _ in range(64)))
    assert {answer.status for answer in answers} == {202}
