"""One valid request for every operation of the table, in a prepared hub; an operation without a row fails the run."""

import hashlib
from typing import Any
from urllib.parse import quote, urlencode

from faults.hub import Http, Hub
from instar.wire.operation import Body
from instar.wire.table import TABLE, AnyOperation

ROOM = {"kind": "room", "room_id": "plaza"}
TEXT = [{"kind": "text", "text": "hello @beta, and **more**"}]
FILE = b"a plan"
BLOB = "sha256-" + hashlib.sha256(FILE).hexdigest()

KEY = "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"
NONCE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAN8WhvluE5oM4mziedQzghkrKP+NOwT9C8lE1pH+spN"
PRIVATE_KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACADfFob5bhOaDOJs4nnUM4IZKyj/jTsE/QvJRNaR/rKTQAAAJABN1b4ATdW\n"
    "+AAAAAtzc2gtZWQyNTUxOQAAACADfFob5bhOaDOJs4nnUM4IZKyj/jTsE/QvJRNaR/rKTQ\n"
    "AAAED00Zi9Ns72PwfB43HylbGTqDFydZhNNu3VFD14CgdZwwN8WhvluE5oM4mziedQzghk\n"
    "rKP+NOwT9C8lE1pH+spNAAAAB3Jvb3RAdm0BAgMEBQY=\n"
    "-----END OPENSSH PRIVATE KEY-----\n"
)
"""Made for this, and used nowhere."""

VALID: dict[str, dict[str, Any]] = {
    "hub.network": {},
    "hub.health": {},
    "hub.ready": {},
    "hub.status": {},
    "hub.backup": {"name": "again.tar"},
    "settings.list": {},
    "settings.file": {},
    "settings.change": {"changes": {"runs.budget_s": 500.0, "log.level": None}, "base_hash": "", "comment": "c"},
    "settings.replace": {"text": "runs:\n  budget_s: 500\n", "base_hash": "0" * 64, "comment": "c"},
    "settings.history": {},
    "settings.rollback": {"version": 1, "base_hash": "0" * 64},
    "settings.schema": {},
    "hub.apply": {
        "network_id": "local",
        "rooms": [{"id": "plaza", "name": "Plaza", "members": ["alpha"], "visibility": "public"}],
        "agents": [{"id": "beta", "name": "Beta", "wake": "mentions"}],
        "dry_run": True,
    },
    "pairings.list": {"limit": "5"},
    "keys.create": {"name": "k", "scopes": ["write"], "agents": ["beta"], "rooms": ["plaza"], "expires_in_s": 60},
    "keys.list": {},
    "keys.revoke": {"key_id": "key-gone"},
    "keys.rotate": {"key_id": "key-gone"},
    "auth.whoami": {},
    "auth.exchange": {"code": "il_nothing"},
    "auth.logout": {},
    "auth.console_link": {},
    "auth.password": {"login": "ada", "password": "not hers"},
    "people.add": {"login": "ada", "password": "correct horse battery", "scopes": ["observe"], "rooms": ["plaza"]},
    "people.list": {},
    "people.set_password": {"person_id": "nobody", "password": "correct horse battery", "current": ""},
    "people.disable": {"person_id": "nobody"},
    "people.enable": {"person_id": "nobody"},
    "people.remove": {"person_id": "nobody"},
    "devices.challenge": {"public_key": KEY, "client_nonce": NONCE},
    "devices.ask": {
        "public_key": KEY,
        "nonce": NONCE,
        "signature": "AAAA",
        "scopes": ["write"],
        "role": "operator",
        "facts": {"name": "Laptop", "platform": "linux", "version": "1"},
    },
    "devices.outcome": {"request_id": "pair-gone", "wait": "0.01"},
    "devices.sign_in": {"public_key": KEY, "nonce": NONCE, "signature": "AAAA", "scopes": [], "role": "operator"},
    "devices.use_code": {"code": "ABCD-EFGH", "facts": {"name": "Phone"}},
    "devices.list": {},
    "devices.get": {"device_id": "device-gone"},
    "devices.requests": {},
    "devices.approve": {"request_id": "pair-gone", "digest": "", "scopes": ["write"], "rooms": ["plaza"]},
    "devices.reject": {"request_id": "pair-gone"},
    "devices.rename": {"device_id": "device-gone", "name": "Desk"},
    "devices.rotate": {"device_id": "device-gone", "role": "operator", "scopes": ["write"]},
    "devices.revoke": {"device_id": "device-gone", "role": "operator"},
    "devices.remove": {"device_id": "device-gone"},
    "pairing.status": {},
    "pairing.open": {"for_s": 60.0},
    "pairing.close": {},
    "pairing.code": {"scopes": ["devices"], "role": "operator", "name": "Phone", "expires_in_s": 60},
    "hub.logs": {"limit": "5", "max_bytes": "1000"},
    "audit.list": {"limit": "5", "principal": "operator", "operation": "hub.backup"},
    "audit.verify": {"noted": ""},
    "rooms.list": {"limit": "10", "after": "general"},
    "rooms.create": {"id": "fresh", "name": "Fresh", "members": ["alpha"], "write_policy": "members"},
    "rooms.get": {"room_id": "plaza"},
    "rooms.update": {"room_id": "plaza", "name": "P", "visibility": "private", "write_policy": "members"},
    "rooms.remove": {"room_id": "fresh"},
    "rooms.members": {"room_id": "plaza", "add": ["gamma"], "remove": ["delta", "net:eps"]},
    "rooms.messages": {"room_id": "plaza", "limit": "10", "before": "m-1"},
    "rooms.threads": {"room_id": "plaza", "limit": "10"},
    "rooms.mark_read": {"target": ROOM, "message_id": "m-1", "as": ""},
    "rooms.export": {"room_id": "plaza"},
    "threads.get": {"thread_id": "t-1"},
    "threads.messages": {"thread_id": "t-1", "limit": "10"},
    "dms.list": {"limit": "10"},
    "dms.open": {"participant_ids": ["beta"], "as": ""},
    "dms.get": {"dm_id": "d-1"},
    "dms.messages": {"dm_id": "d-1", "limit": "10"},
    "messages.send": {
        "target": ROOM,
        "parts": [*TEXT, {"kind": "data", "data": {"a": [1, {"b": None}]}}, {"kind": "url", "url": "https://e.org/"}],
        "from": {"type": "human", "id": "operator", "name": "Op"},
        "mentions": ["beta"],
        "reply_to": "m-1",
    },
    "messages.send_batch": {"messages": [{"target": ROOM, "parts": TEXT}, {"target": ROOM, "parts": TEXT}]},
    "messages.get": {"message_id": "m-1"},
    "messages.edit": {"message_id": "m-1", "parts": TEXT, "mentions": []},
    "messages.redact": {"message_id": "m-2", "reason": "why"},
    "messages.react": {"message_id": "m-1", "reaction": "+1", "as": ""},
    "messages.unreact": {"message_id": "m-1", "reaction": "+1", "as": ""},
    "messages.search": {"q": 'hello "and more" be*', "room_id": "plaza", "from": "operator", "limit": "5"},
    "artifacts.list": {"room_id": "plaza", "limit": "5"},
    "blobs.upload": {"filename": "a.txt", "media_type": "text/plain"},
    "blobs.get": {"blob": BLOB},
    "agents.list": {"limit": "10"},
    "agents.get": {"agent_id": "beta"},
    "agents.register": {"requested_agent_id": "beta", "name": "Beta", "wake": "all", "issue_token": False},
    "agents.rotate_token": {"agent_id": "beta"},
    "agents.update": {"agent_id": "beta", "name": "B", "wake": "all", "wake_rooms": {"plaza": "never"}},
    "agents.remove": {"agent_id": "gone"},
    "agents.pause": {"agent_id": "beta"},
    "agents.resume": {"agent_id": "beta"},
    "agents.set_presence": {"agent_id": "beta", "activity": "busy", "task": "t"},
    "agents.stop_all": {"reason": "r"},
    "agents.resume_all": {},
    "inbox.read": {"agent_id": "beta", "wait": "0.01", "limit": "5", "lease": "false", "state": "pending"},
    "inbox.ack": {"agent_id": "beta", "items": [1, 2], "up_to": 0, "lease": ""},
    "inbox.nack": {"agent_id": "beta", "items": [1], "reason": "r", "final": False},
    "inbox.replay": {"agent_id": "beta", "items": [1]},
    "events.read": {"after": "1", "limit": "5", "wait": "0.01", "room_id": "plaza"},
    "runs.list": {"agent_id": "beta", "state": "done", "limit": "5"},
    "runs.get": {"run_id": "run-1"},
    "runs.cancel": {"run_id": "run-1", "reason": "r"},
    "schedules.create": {
        "name": "Morning",
        "timing": {"kind": "cron", "expression": "0 9 * * 1-5", "time_zone": "Europe/Berlin"},
        "room": "room:plaza",
        "text": "Good morning, @beta",
        "catch_up": "all",
        "lateness_s": 60.0,
        "agent_id": "beta",
        "description": "d",
        "is_paused": True,
        "is_once": False,
    },
    "schedules.list": {},
    "schedules.get": {"schedule_id": "sch_plaza"},
    "schedules.update": {
        "schedule_id": "sch_plaza",
        "timing": {"kind": "every", "seconds": 86400.0, "anchor": "2026-01-01T00:00:00Z"},
        "catch_up": "skip",
        "text": "Still here",
    },
    "schedules.remove": {"schedule_id": "sch_fresh"},
    "schedules.pause": {"schedule_id": "sch_plaza"},
    "schedules.resume": {"schedule_id": "sch_plaza"},
    "schedules.run": {"schedule_id": "sch_plaza"},
    "schedules.history": {"schedule_id": "sch_plaza", "limit": "5", "before": "2026-01-01T00:00:00Z"},
    "presence.list": {},
    "presence.note": {"text": "here", "key": "k", "host": "h", "tags": ["t"], "idle_s": 1.5},
    "runs.await": {"message_id": "m-1", "wait": 0},
    "sessions.open": {"agent_id": "beta", "name": "fresh", "label": "Fresh"},
    "sessions.list": {"agent_id": "beta", "search": "plan", "limit": 10},
    "sessions.get": {"session_id": "agent:beta:plan"},
    "sessions.update": {"session_id": "agent:beta:plan", "label": "The plan"},
    "sessions.reset": {"session_id": "agent:beta:plan"},
    "sessions.remove": {"session_id": "agent:beta:gone"},
    "sessions.messages": {"session_id": "agent:beta:plan", "limit": "10"},
    "calls.start": {
        "tool": "exec",
        "args": {"argv": ["uname", "-a"]},
        "target": "ssh:box",
        "cwd": "/",
        "env": {"LANG": "C"},
        "timeout_s": 5,
        "if_away": "fail",
        "sandbox": "none",
        "reason": "to see",
        "wait": 0,
    },
    "calls.get": {"call_id": "call-gone", "wait": 0},
    "calls.list": {"room": "room:plaza", "state": "done", "limit": "5"},
    "calls.cancel": {"call_id": "call-gone", "reason": "enough"},
    "calls.signal": {"call_id": "call-gone", "signal": "INT"},
    "calls.resize": {"call_id": "call-gone", "rows": 24, "columns": 80},
    "calls.input": {"call_id": "call-gone", "offset": 0, "eof": "true"},
    "calls.output": {"call_id": "call-gone", "channel": 1, "offset": -10, "limit": 10, "wait": 0},
    "calls.route": {"target": "local"},
    "routes.list": {},
    "routes.set": {"target": "local"},
    "tools.list": {},
    "tools.use": {"name": "nodes_describe", "arguments": {"node": "ssh:box"}, "wait": 0},
    "approvals.list": {"limit": "5"},
    "approvals.get": {"approval_id": "apr-gone"},
    "approvals.approve": {"approval_id": "apr-gone", "digest": "sha256:0", "always": True, "expires_in_s": 60},
    "approvals.deny": {"approval_id": "apr-gone", "digest": "sha256:0", "feedback": "no"},
    "approvals.rules": {},
    "approvals.add_rule": {"rule": {"tool": "shell_exec", "value": "git status", "action": "allow", "agent": "beta"}},
    "approvals.remove_rule": {"rule_id": "rul-gone"},
    "approvals.set_agent_rules": {
        "agent_id": "beta",
        "rules": [{"tool": "shell_exec", "value": "rm *", "action": "deny"}],
    },
    "approvals.import": {"text": '{"*": "ask"}', "check_only": True},
    "approvals.judge": {"tool": "shell", "command": "git status | wc -l", "agent_id": "beta"},
    "nodes.list": {"select": "local"},
    "nodes.get": {"node_id": "local"},
    "nodes.requests": {},
    "nodes.approve": {"request_id": "pair-gone", "permit": {"commands": ["shell"]}, "labels": {"gpu": "yes"}},
    "nodes.permit": {"node_id": "local", "permit": {"commands": ["*"], "env": ["CI"]}},
    "nodes.label": {"node_id": "local", "labels": {"gpu": "yes"}},
    "nodes.history": {"node_id": "local", "limit": 5},
    "nodes.exec_status": {},
    "ssh.keys": {},
    "ssh.generate_key": {"name": "fresh"},
    "ssh.import_key": {"name": "taken", "private_key": PRIVATE_KEY, "passphrase": ""},
    "ssh.remove_key": {"ssh_key_id": "spare"},
    "ssh.targets": {},
    "ssh.add_target": {
        "label": "fresh",
        "address": "nobody@127.0.0.1",
        "port": 1,
        "mode": "managed",
        "key": "deploy",
        "known_host": f"[127.0.0.1]:1 {HOST_KEY}",
        "is_default": False,
    },
    "ssh.update_target": {"ssh_target_id": "box", "label": "box", "is_default": True},
    "ssh.remove_target": {"ssh_target_id": "gone"},
    "ssh.test": {"ssh_target_id": "box"},
    "ssh.scan": {"address": "127.0.0.1", "port": 1},
    "ssh.pin": {"ssh_target_id": "box", "known_host": f"[127.0.0.1]:1 {HOST_KEY}"},
    "ssh.unpin": {"ssh_target_id": "box"},
}
"""Operation → parameters that fit; with the objects of `prepare`."""


def split(operation: AnyOperation, params: dict[str, Any]) -> tuple[str, str, dict[str, Any] | None]:
    """Return path, query string and body of an operation with these parameters."""
    route = operation.route
    assert route is not None
    path, rest = route.path, dict(params)
    for name in [piece[1:-1] for piece in route.path.split("/") if piece.startswith("{")]:
        path = path.replace("{" + name + "}", quote(str(rest.pop(name, "")), safe="", errors="surrogatepass"))
    if route.method in ("GET", "DELETE") or route.body is Body.BYTES:
        return path, urlencode({name: str(value) for name, value in rest.items()}, errors="surrogatepass"), None
    return path, "", rest


def sent(message_id: str, target: dict[str, Any], parts: list[dict[str, Any]] = TEXT) -> tuple[str, str, Any, int]:
    return "POST", "/v1/messages", {"id": message_id, "target": target, "parts": parts}, 202


def scheduled(schedule_id: str) -> tuple[str, str, Any, int]:
    timing = {"kind": "cron", "expression": "0 0 1 1 *"}
    body = {"id": schedule_id, "name": "Yearly", "timing": timing, "room": "room:plaza", "text": "Happy new year"}
    return "POST", "/v1/schedules", body, 201


PREPARATION: list[tuple[str, str, Any, int]] = [
    ("POST", "/v1/apply", {"rooms": [{"id": "plaza", "members": ["alpha", "beta"]}, {"id": "fresh"}]}, 200),
    ("POST", "/v1/agents/register", {"requested_agent_id": "beta"}, 201),
    ("POST", "/v1/uploads?filename=plan.txt&media_type=text/plain", FILE, 201),
    ("POST", "/v1/sessions", {"agent_id": "beta", "name": "plan"}, 201),
    ("POST", "/v1/sessions", {"agent_id": "beta", "name": "gone"}, 201),
    sent("m-1", ROOM),
    sent("m-2", ROOM),
    sent("m-3", {"kind": "thread", "room_id": "plaza", "thread_id": "t-1"}),
    sent("m-4", {"kind": "dm", "dm_id": "d-1", "participant_ids": ["operator", "beta"]}),
    sent("m-5", ROOM, [{"kind": "file", "blob": BLOB, "filename": "plan.txt", "media_type": "text/plain"}]),
    scheduled("sch_plaza"),
    scheduled("sch_fresh"),
    ("POST", "/v1/ssh/keys", {"name": "deploy"}, 201),
    ("POST", "/v1/ssh/keys", {"name": "spare"}, 201),
    ("POST", "/v1/ssh/targets", {"label": "box", "address": "nobody@127.0.0.1:1"}, 201),
    ("POST", "/v1/ssh/targets", {"label": "gone", "address": "nobody@127.0.0.1:1"}, 201),
]
"""Requests that make the objects of `VALID`: method, path, body, status."""


async def prepare(hub: Hub) -> None:
    """Make the objects that the valid requests name."""
    assert VALID.keys() == TABLE.keys(), "give every operation a valid request"
    http = Http(hub)
    for method, path, body, status in PREPARATION:
        got, answer = await http.ask(method, path, body)
        assert got == status, (path, answer)
    http.close()
