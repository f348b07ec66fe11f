"""http.v1 against a running hub: statuses, shapes, pages, ids, registration, refusals (Moltnet spec, section 2)."""

import http.client
import json
import uuid
from typing import Any

import pytest

from conformance.moltnet import shapes

from .running import RunningHub

TEXT = [{"kind": "text", "text": "hi"}]


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def head(hub: RunningHub, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=10)
    sent = {"Authorization": f"Bearer {hub.operator_token}"} | {
        name.replace("_", "-"): v for name, v in headers.items()
    }
    try:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def place(hub: RunningHub) -> dict[str, str]:
    """A room, a thread, a direct conversation and an agent with something in them."""
    hub.operator().apply([{"id": "t-room", "members": ["t-alpha", "t-beta"]}])
    token = hub.agent_token("t-alpha")
    assert hub.ask("POST", "/v1/agents/register", {"requested_agent_id": "t-alpha"}, token)[0] == 201
    sender = {"type": "agent", "id": "t-alpha"}
    url = [{"kind": "url", "url": "https://example.org/a"}]
    for target, parts in (
        ({"kind": "room", "room_id": "t-room"}, TEXT),
        ({"kind": "room", "room_id": "t-room"}, url),
        ({"kind": "thread", "room_id": "t-room", "thread_id": "t-thread"}, TEXT),
        ({"kind": "dm", "dm_id": "t-dm", "participant_ids": ["t-alpha", "t-beta"]}, TEXT),
    ):
        status, sent = hub.ask("POST", "/v1/messages", {"target": target, "from": sender, "parts": parts}, token)
        assert status == 202, sent
    return {"token": token}


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/network", shapes.Network),
        ("/v1/rooms", shapes.RoomPage),
        ("/v1/rooms/t-room", shapes.Room),
        ("/v1/rooms/t-room/messages", shapes.MessagePage),
        ("/v1/rooms/t-room/threads", shapes.ThreadPage),
        ("/v1/threads/t-thread", shapes.Thread),
        ("/v1/threads/t-thread/messages", shapes.MessagePage),
        ("/v1/dms", shapes.DmPage),
        ("/v1/dms/t-dm", shapes.DirectConversation),
        ("/v1/dms/t-dm/messages", shapes.MessagePage),
        ("/v1/artifacts?room_id=t-room", shapes.ArtifactPage),
        ("/v1/agents", shapes.AgentPage),
        ("/v1/agents/t-alpha", shapes.AgentSummary),
        ("/v1/pairings", shapes.PairingPage),
    ],
)
@pytest.mark.usefixtures("place")
def test_reads(hub: RunningHub, path: str, shape: Any) -> None:
    status, headers, payload = head(hub, "GET", path)
    assert status == 200, payload
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"].startswith("req_")
    assert payload.endswith(b"\n")
    assert b":null" not in payload
    shapes.decode(payload, shape)
    assert head(hub, "HEAD", path)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/rooms/nowhere", None, 404, "not_found"),
        ("GET", "/v1/rooms/nowhere/messages", None, 404, "not_found"),
        ("GET", "/v1/threads/nowhere", None, 404, "not_found"),
        ("GET", "/v1/dms/nowhere", None, 404, "not_found"),
        ("GET", "/v1/agents/nowhere", None, 404, "not_found"),
        ("GET", "/v1/pairings/p/network", None, 404, "not_found"),
        ("GET", "/v1/artifacts", None, 422, "unprocessable_entity"),
        ("GET", "/v1/artifacts?room_id=nowhere", None, 404, "not_found"),
        ("GET", "/v1/rooms?before=a&after=b", None, 422, "unprocessable_entity"),
        ("GET", "/v1/rooms/t-room/messages?before=a&after=b", None, 422, "unprocessable_entity"),
        ("GET", "/v1/rooms/t-room/messages?before=not%20an%20id", None, 422, "unprocessable_entity"),
        ("GET", "/v1/rooms/t-room/messages?after=unknown", None, 422, "unprocessable_entity"),
        ("POST", "/v1/rooms", {"id": "t-room"}, 409, "conflict"),
        ("POST", "/v1/rooms", {"id": "not an id"}, 422, "unprocessable_entity"),
        ("POST", "/v1/rooms", {"id": "x", "write_policy": "nobody"}, 422, "unprocessable_entity"),
        ("POST", "/v1/rooms", {"id": "x", "members": ["not an id"]}, 422, "unprocessable_entity"),
        ("POST", "/v1/rooms", b"[]", 400, "bad_request"),
        ("POST", "/v1/messages", b"", 400, "bad_request"),
        ("POST", "/v1/messages", b"{} {}", 400, "bad_request"),
        ("POST", "/v1/messages", b"{" + b" " * (1 << 20) + b"}", 400, "bad_request"),
        ("POST", "/v1/messages", {"target": {"kind": "room", "room_id": "t-room"}}, 422, "unprocessable_entity"),
        ("POST", "/v1/messages", {"target": {"kind": "room"}, "parts": TEXT}, 422, "unprocessable_entity"),
        ("POST", "/v1/messages", {"target": {"kind": "room", "room_id": "nowhere"}, "parts": TEXT}, 404, "not_found"),
        (
            "POST",
            "/v1/messages",
            {"target": {"kind": "dm", "dm_id": "d", "participant_ids": ["operator"]}, "parts": TEXT},
            422,
            "unprocessable_entity",
        ),
        (
            "POST",
            "/v1/messages",
            {"target": {"kind": "room", "room_id": "t-room"}, "parts": [{"kind": "url", "url": "ftp://x/y"}]},
            422,
            "unprocessable_entity",
        ),
        ("PATCH", "/v1/rooms/nowhere/members", {"add": ["a"]}, 404, "not_found"),
        ("DELETE", "/v1/rooms/nowhere", None, 404, "not_found"),
        ("DELETE", "/v1/agents/nowhere", None, 404, "not_found"),
        ("POST", "/v1/agents/register", {"requested_agent_id": "not an id"}, 422, "unprocessable_entity"),
        ("PUT", "/v1/rooms", {}, 405, "method_not_allowed"),
        ("POST", "/v1/nothing", {}, 405, "method_not_allowed"),
    ],
)
@pytest.mark.usefixtures("place")
def test_refusals(hub: RunningHub, method: str, path: str, body: Any, status: int, code: str) -> None:
    got, answer = hub.ask(method, path, body)
    assert (got, answer["code"]) == (status, code), answer
    shapes.decode(json.dumps(answer).encode(), shapes.ErrorBody)


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1/nothing"])
def test_unknown_paths_lead_to_the_console(hub: RunningHub, path: str) -> None:
    status, headers, _ = head(hub, "GET", path)
    assert status in {307}
    assert headers["location"] == "/console/"


def test_health_metrics_and_documents(hub: RunningHub) -> None:
    assert hub.ask("GET", "/healthz", token="")[1] == {"status": "ok"}
    assert hub.ask("GET", "/readyz", token="")[1] == {"status": "ready"}
    assert hub.ask("GET", "/metrics", token="")[0] == 401
    status, headers, payload = head(hub, "GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"instar_requests_total" in payload
    for path in ("/install.md", "/skill.md", "/llms.txt"):
        assert hub.ask("GET", path, token="")[0] == 401
        status, headers, payload = head(hub, "GET", path)
        assert status == 200
        assert hub.url.encode() in payload


def test_request_ids_are_kept_or_made(hub: RunningHub) -> None:
    assert head(hub, "GET", "/v1/network", X_Request_Id="mine-1")[1]["x-request-id"] == "mine-1"
    assert head(hub, "GET", "/v1/network", X_Request_Id="not ok")[1]["x-request-id"].startswith("req_")
    _, headers, payload = head(hub, "GET", "/v1/rooms/nowhere")
    assert json.loads(payload)["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    ("message_id", "event_id"),
    [("m1", "evt_ca0df2c9-5aa1-44c1-90ff-2ff3c8f967fd"), ("m2", "evt_29c1b289-e752-4195-b362-e44f54e05470")],
)
@pytest.mark.usefixtures("place")
def test_message_ids_make_event_ids_and_sends_repeatable(hub: RunningHub, message_id: str, event_id: str) -> None:
    body = {"id": message_id, "target": {"kind": "room", "room_id": "t-room"}, "parts": TEXT}
    first, again = hub.ask("POST", "/v1/messages", body), hub.ask("POST", "/v1/messages", body)
    assert first[0] == again[0] == 202
    assert first[1]["event_id"] == again[1]["event_id"] == event_id
    assert again[1]["thread_created"] is False
    other = hub.ask("POST", "/v1/messages", body | {"parts": [{"kind": "text", "text": "other"}]})
    assert (other[0], other[1]["code"]) == (409, "id_reused")


def test_an_idempotency_key_answers_the_first_result(hub: RunningHub) -> None:
    body = json.dumps({"id": fresh("room")}).encode()
    first, again = (head(hub, "POST", "/v1/rooms", body, Idempotency_Key=body.decode()) for _ in range(2))
    assert first[0] == again[0] == 201
    assert first[2] == again[2]
    assert head(hub, "POST", "/v1/rooms", b'{"id":"else"}', Idempotency_Key=body.decode())[0] == 409
    assert head(hub, "POST", "/v1/rooms", body)[0] == 409


def test_pages_walk_the_whole_history_both_ways(hub: RunningHub) -> None:
    room = fresh("room")
    hub.operator().apply([{"id": room}])
    ids = [hub.ask("POST", "/v1/messages", {
        "target": {"kind": "room", "room_id": room}, "parts": TEXT
    })[1]["message_id"] for _ in range(7)]  # fmt: skip
    path = f"/v1/rooms/{room}/messages?limit=3"
    latest = hub.ask("GET", path)[1]
    assert [one["id"] for one in latest["messages"]] == ids[4:]
    older = hub.ask("GET", f"{path}&before={latest['page']['next_before']}")[1]
    assert [one["id"] for one in older["messages"]] == ids[1:4]
    oldest = hub.ask("GET", f"{path}&before={older['page']['next_before']}")[1]
    assert [one["id"] for one in oldest["messages"]] == ids[:1]
    assert "next_before" not in oldest["page"]
    newer = hub.ask("GET", f"{path}&after={ids[0]}")[1]
    assert [one["id"] for one in newer["messages"]] == ids[1:4]
    assert newer["page"]["next_after"] == ids[3]
    for limit in ("0", "-1", "many", "501"):
        assert len(hub.ask("GET", f"/v1/rooms/{room}/messages?limit={limit}")[1]["messages"]) == 7


def test_registration(hub: RunningHub) -> None:
    agent_id = fresh("agent")
    token = hub.key(fresh("k"), "attach", agents=[agent_id])
    path, body = "/v1/agents/register", {"requested_agent_id": agent_id, "name": "A"}
    assert hub.ask("POST", path, body, token)[0] == 201
    status, again = hub.ask("POST", path, body | {"name": "B"}, token)
    assert (status, again["display_name"]) == (200, "B")
    assert hub.ask("POST", path, {"requested_agent_id": fresh("x")}, token)[0] == 403
    assert hub.ask("POST", path, body, "")[0] == 401
    assert hub.ask("POST", path, {"name": "Ünï Code!"})[1]["agent_id"] == "n-code"
    fqid = f"molt://local/agents/{agent_id}"
    assert hub.ask("POST", path, {"requested_agent_id": fqid}, token)[1]["agent_id"] == agent_id


def test_who_may_send(hub: RunningHub) -> None:
    alpha, beta, room = fresh("alpha"), fresh("beta"), fresh("room")
    hub.operator().apply([{"id": room, "members": [alpha, beta]}])
    token = hub.agent_token(alpha)
    body = {"target": {"kind": "room", "room_id": room}, "parts": TEXT}

    def send(token: str, **more: Any) -> int:
        return hub.ask("POST", "/v1/messages", body | more, token)[0]

    assert send(token, **{"from": {"type": "agent", "id": alpha}}) == 202
    assert send(token, **{"from": {"type": "agent", "id": beta}}) == 403
    assert send(hub.key(fresh("k"), "write"), **{"from": {"type": "agent", "id": beta}}) in {403, 404}
    assert send(hub.key(fresh("k"), "observe")) == 403
    assert send("") == 401
    assert send("wrong") == 401
    dm = {"kind": "dm", "dm_id": fresh("dm"), "participant_ids": [alpha, beta]}
    assert send(token, target=dm, **{"from": {"type": "agent", "id": alpha}}) == 202
    stranger = fresh("stranger")
    theirs = hub.agent_token(stranger)
    assert send(theirs, target=dm, **{"from": {"type": "agent", "id": stranger}}) in {403, 404}
    assert hub.ask("GET", f"/v1/dms/{dm['dm_id']}", token=theirs)[0] == 404
    assert hub.ask("GET", f"/v1/dms/{dm['dm_id']}/messages", token=token)[0] == 200


def test_files_go_up_and_come_down(hub: RunningHub, place: dict[str, str]) -> None:
    status, _, payload = head(hub, "POST", "/v1/uploads?filename=a.txt", b"content", Content_Type="text/plain")
    assert status == 201, payload
    blob = json.loads(payload)["blob"]
    parts = [{"kind": "file", "blob": blob, "filename": "a.txt", "media_type": "text/plain"}]
    sent = hub.ask("POST", "/v1/messages", {"target": {"kind": "room", "room_id": "t-room"}, "parts": parts})
    assert sent[0] == 202, sent
    status, headers, content = head(hub, "GET", f"/v1/blobs/{blob}")
    assert (status, content) == (200, b"content")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("attachment")
    assert hub.ask("GET", f"/v1/blobs/{blob}", token=hub.agent_token(fresh("x")))[0] == 404
    assert hub.ask("GET", f"/v1/blobs/{blob}", token=place["token"])[0] == 200


@pytest.mark.usefixtures("place")
def test_an_export_ends_with_its_count(hub: RunningHub) -> None:
    status, headers, content = head(hub, "GET", "/v1/export?room_id=t-room")
    assert status == 200, content
    assert headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in content.splitlines()]
    assert lines[-1]["events"] == len(lines) - 1
    assert lines[-1]["last_seq"] == lines[-2]["seq"]


def test_a_session_signs_a_browser_in_and_out(hub: RunningHub) -> None:
    status, link = hub.ask("POST", "/v1/auth/console-link", {})
    assert status == 201, link
    code = link["url"].rpartition("#code=")[2]
    body = json.dumps({"code": code}).encode()
    status, headers, payload = head(hub, "POST", "/v1/auth/exchange", body, Authorization="Bearer stale")
    assert status == 200, payload
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    token = cookie.split(";")[0]
    assert head_with_cookie(hub, "GET", "/v1/me", token)[0] == 200
    assert hub.ask("POST", "/v1/auth/exchange", {"code": code}, token="")[0] == 401
    assert head_with_cookie(hub, "POST", "/v1/auth/logout", token)[0] == 200
    assert head_with_cookie(hub, "GET", "/v1/me", token)[0] == 401


def head_with_cookie(hub: RunningHub, method: str, path: str, cookie: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, headers={"Cookie": cookie})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_no_token_is_taken_from_a_url(hub: RunningHub) -> None:
    for path in ("/", "/console/", "/v1/rooms", "/v1/nothing"):
        status, answer = hub.ask("GET", f"{path}?access_token=t", token="")
        assert (status, answer["code"]) == (400, "bad_request")
    assert head(hub, "GET", "/console/")[0] == 200
