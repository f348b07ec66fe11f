"""Two agents with rooms, threads and messages of their own: what is the other's is exactly like what is not there."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from .running import RunningHub

TEXT = [{"kind": "text", "text": "between us"}]
MISSING = {
    "room": "no-room",
    "thread": "no-thread",
    "dm": "no-dm",
    "message": "no-message",
    "event": "evt_no-event",
    "blob": "sha256-" + "0" * 64,
    "run": "run_no-run",
    "key": "key_no-key",
    "session": "agent:nobody:none",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path_factory.mktemp("strangers") / "data", "bearer")
    yield hub
    hub.stop()


class Owner:
    """An agent with a private room that the built-in agent is in too, a thread, a direct conversation and a file."""

    def __init__(self, hub: RunningHub, name: str) -> None:
        made = {"name": name, "scopes": ["attach", "write", "keys"], "agents": [name]}
        status, key = hub.ask("POST", "/v1/keys", made)
        assert status == 201, key
        self.token = key["token"]
        room = f"{name}-room"
        assert hub.ask("POST", "/v1/rooms", {"id": room, "members": [name, "guide"]})[0] == 201
        assert hub.ask("POST", "/v1/agents/register", {"requested_agent_id": name}, self.token)[0] == 201
        status, file = hub.ask("POST", f"/v1/uploads?filename={name}", name.encode(), self.token)
        assert status == 201, file
        targets = {
            "message": {"kind": "room", "room_id": room},
            "threaded": {"kind": "thread", "room_id": room, "thread_id": f"{name}-thread"},
            "direct": {"kind": "dm", "dm_id": f"{name}-dm", "participant_ids": [name, "operator"]},
        }
        sent = {kind: self.send(hub, name, target, TEXT) for kind, target in targets.items()}
        self.send(hub, name, targets["message"], [{"kind": "file", "blob": file["blob"], "filename": name}])
        hub.ask(
            "POST", "/v1/messages", {"target": targets["message"], "parts": [{"kind": "text", "text": "@guide hi"}]}
        )
        runs: list[Any] = []
        while not runs:
            runs = [run for run in hub.ask("GET", "/v1/runs")[1]["runs"] if run["room"] == f"room:{room}"]
        self.own = {
            "room": room,
            "thread": f"{name}-thread",
            "dm": f"{name}-dm",
            "message": sent["message"]["message_id"],
            "event": sent["message"]["event_id"],
            "blob": file["blob"],
            "run": runs[0]["id"],
            "key": key["key"]["id"],
            "session": self.session(hub, name),
        }

    def session(self, hub: RunningHub, name: str) -> str:
        status, opened = hub.ask("POST", "/v1/sessions", {"agent_id": name, "name": "own"}, self.token)
        assert status == 201, opened
        self.send(hub, name, {"kind": "session", "session_id": opened["id"]}, TEXT)
        return opened["id"]

    def send(self, hub: RunningHub, name: str, target: dict[str, Any], parts: list[dict[str, Any]]) -> Any:
        message = {"target": target, "from": {"type": "agent", "id": name}, "parts": parts}
        status, accepted = hub.ask("POST", "/v1/messages", message, self.token)
        assert status == 202, accepted
        return accepted


@pytest.fixture(scope="module")
def owners(hub: RunningHub) -> tuple[Owner, Owner]:
    return Owner(hub, "ann"), Owner(hub, "bob")


ROOM = {"kind": "room", "room_id": "{room}"}
MINE = {"kind": "room", "room_id": "ann-room"}
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/rooms/{room}", None),
    ("PATCH", "/v1/rooms/{room}", {"name": "x"}),
    ("DELETE", "/v1/rooms/{room}", None),
    ("PATCH", "/v1/rooms/{room}/members", {"add": ["ann"]}),
    ("GET", "/v1/rooms/{room}/messages", None),
    ("GET", "/v1/rooms/{room}/threads", None),
    ("GET", "/v1/rooms/ann-room/messages?before={message}", None),
    ("GET", "/v1/rooms/ann-room/messages?after={message}", None),
    ("GET", "/v1/rooms?after={room}", None),
    ("GET", "/v1/threads/{thread}", None),
    ("GET", "/v1/threads/{thread}/messages", None),
    ("GET", "/v1/dms/{dm}", None),
    ("GET", "/v1/dms/{dm}/messages", None),
    ("GET", "/v1/dms?after={dm}", None),
    ("GET", "/v1/export?room_id={room}", None),
    ("GET", "/v1/export?thread_id={thread}", None),
    ("GET", "/v1/export?dm_id={dm}", None),
    ("GET", "/v1/artifacts?room_id={room}", None),
    ("GET", "/v1/artifacts?thread_id={thread}", None),
    ("GET", "/v1/artifacts?dm_id={dm}", None),
    ("GET", "/v1/search?q=between&room_id={room}", None),
    ("GET", "/v1/search?q=between&thread_id={thread}", None),
    ("GET", "/v1/search?q=between&dm_id={dm}", None),
    ("GET", "/v1/events?room_id={room}", None),
    ("GET", "/v1/events?thread_id={thread}", None),
    ("GET", "/v1/events?dm_id={dm}", None),
    ("GET", "/v1/sessions/{session}", None),
    ("GET", "/v1/sessions/{session}/messages", None),
    ("PATCH", "/v1/sessions/{session}", {"label": "x"}),
    ("POST", "/v1/sessions/{session}/reset", {}),
    ("DELETE", "/v1/sessions/{session}", None),
    ("GET", "/v1/dms/session:{session}", None),
    ("GET", "/v1/dms/session:{session}/messages", None),
    ("GET", "/v1/export?session_id={session}", None),
    ("GET", "/v1/artifacts?session_id={session}", None),
    ("GET", "/v1/search?q=between&session_id={session}", None),
    ("GET", "/v1/events?session_id={session}", None),
    ("PUT", "/v1/read-markers", {"target": {"kind": "session", "session_id": "{session}"}, "seq": 1}),
    ("POST", "/v1/messages", {"target": {"kind": "session", "session_id": "{session}"}, "parts": TEXT}),
    ("POST", "/v1/messages", {"target": {"kind": "dm", "dm_id": "session:{session}"}, "parts": TEXT}),
    ("GET", "/v1/runs/await?run_id={run}&wait=0", None),
    ("GET", "/v1/runs/await?message_id={message}&wait=0", None),
    ("GET", "/v1/messages/{message}", None),
    ("PATCH", "/v1/messages/{message}", {"parts": TEXT}),
    ("DELETE", "/v1/messages/{message}", None),
    ("PUT", "/v1/messages/{message}/reactions/ok", {}),
    ("DELETE", "/v1/messages/{message}/reactions/ok", None),
    ("GET", "/v1/blobs/{blob}", None),
    ("GET", "/v1/runs/{run}", None),
    ("GET", "/v1/runs?before={run}", None),
    ("POST", "/v1/runs/{run}/cancel", {}),
    ("PUT", "/v1/read-markers", {"target": ROOM, "seq": 1}),
    ("PUT", "/v1/read-markers", {"target": {"kind": "thread", "thread_id": "{thread}"}, "seq": 1}),
    ("PUT", "/v1/read-markers", {"target": {"kind": "dm", "dm_id": "{dm}"}, "seq": 1}),
    ("PUT", "/v1/read-markers", {"target": MINE, "message_id": "{message}"}),
    ("POST", "/v1/messages", {"target": ROOM, "parts": TEXT}),
    ("POST", "/v1/messages", {"target": {"kind": "dm", "dm_id": "{dm}"}, "parts": TEXT}),
    ("POST", "/v1/messages", {"target": MINE, "parts": [{"kind": "file", "blob": "{blob}"}]}),
    ("POST", "/v1/messages", {"target": MINE, "parts": TEXT, "reply_to": "{message}"}),
    ("POST", "/v1/messages", {"target": MINE, "parts": TEXT, "cause": "{event}"}),
    (
        "POST",
        "/v1/messages",
        {"target": {"kind": "thread", "room_id": "{room}", "thread_id": "t-new"}, "parts": TEXT},
    ),
    (
        "POST",
        "/v1/messages",
        {
            "target": {"kind": "thread", "room_id": "ann-room", "thread_id": "t-{n}", "parent_message_id": "{message}"},
            "parts": TEXT,
        },
    ),
    ("POST", "/v1/messages/batch", {"messages": [{"target": ROOM, "parts": TEXT}]}),
]
"""Every operation and field that takes an id. Left out are ids that a caller chooses: each has one owner by nature."""


def asked(hub: RunningHub, token: str, request: tuple[str, str, Any], ids: dict[str, str]) -> tuple[int, str]:
    """Return status and body, with what differs by nature (request id, the id itself, times, seq) taken out."""
    method, path, body = request
    fill = json.dumps([path, body])
    for kind, value in ids.items():
        fill = fill.replace("{" + kind + "}", value)
    path, body = json.loads(fill.replace("{n}", "own" if ids is not MISSING else "none"))
    if method == "POST" and path == "/v1/messages":
        body["from"] = {"type": "agent", "id": "ann"}
    status, answer = hub.ask(method, path, body, token)
    text = json.dumps(answer)
    for value in sorted(ids.values(), key=len, reverse=True):
        text = text.replace(value, "ID")
    return status, re.sub(r"req_\w+|evt_[\w-]+|msg_[\w-]+|\"seq\": \d+|\"indexed_seq\": \d+", "", text)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: f"{request[0]} {request[1]} {request[2] or ''}")
def test_the_other_is_like_nobody(hub: RunningHub, owners: tuple[Owner, Owner], request_: Any) -> None:
    ann, bob = owners
    assert asked(hub, ann.token, request_, bob.own) == asked(hub, ann.token, request_, MISSING)


def test_a_key_that_is_wider_is_like_none(hub: RunningHub, owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    for method, path in (("DELETE", "/v1/keys/{key}"), ("POST", "/v1/keys/{key}/rotate")):
        theirs, none = (asked(hub, ann.token, (method, path, None), ids) for ids in (bob.own, MISSING))
        assert theirs == none
        assert theirs[0] == 404


def test_who_has_the_bytes_may_send_them_whoever_had_them_first(hub: RunningHub, owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    again = hub.ask("POST", "/v1/uploads?filename=mine", b"bob", ann.token)
    assert again[0] == 201
    assert again[1]["blob"] == bob.own["blob"]
    ann.send(hub, "ann", MINE, [{"kind": "file", "blob": bob.own["blob"]}])
