"""Secrets planted through a whole run of the hub appear nowhere that they should not."""

import asyncio
import json
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.hostile import Wire
from faults.hub import Hub
from faults.websocket import TEXT, Socket

ROOM = {"kind": "room", "room_id": "quiet"}
"""A room without the built-in agent, which would repeat what it hears in a message of its own."""


class Spy:
    """Asks the hub things, and keeps every error body that it gets."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.errors: list[bytes] = []

    async def ask(self, method: str, path: str, body: Any = None, *headers: str, token: str | None = None) -> Any:
        payload = b"" if body is None else json.dumps(body).encode()
        credential = [f"Authorization: Bearer {self.hub.token if token is None else token}"] if token != "" else []
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.hub.port}", *credential, *headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(payload)}", "", ""])
        wire = await Wire.open(self.hub)
        answer = await wire.ask(head.encode() + payload)
        await wire.close()
        assert answer is not None
        if answer.status >= 400:
            self.errors.append(answer.body + json.dumps(answer.headers).encode())
        if "set-cookie" in answer.headers:
            return answer.headers["set-cookie"]
        is_json = answer.headers["content-type"] == "application/json"
        return json.loads(answer.body) if is_json else answer.body


async def plant_tokens(spy: Spy) -> dict[str, str]:
    """Make, use, rotate, revoke and misuse credentials of every kind; return each by its name."""
    ask, planted = spy.ask, {"local grant": spy.hub.token}
    for name in ("key", "rotated", "revoked", "child"):
        made = await ask("POST", "/v1/keys", {"name": name, "scopes": ["write", "keys", "observe"]})
        planted[name] = made["token"]
        await ask("GET", "/v1/me", token=made["token"])
        if name == "rotated":
            planted["after rotation"] = (await ask("POST", f"/v1/keys/{made['key']['id']}/rotate"))["token"]
        if name == "revoked":
            await ask("DELETE", f"/v1/keys/{made['key']['id']}")
        await ask("GET", "/v1/me", token=made["token"])
    agent = await ask("POST", "/v1/agents/register", {"requested_agent_id": "spy", "issue_token": True})
    planted["agent token"] = agent["agent_token"]
    planted["new agent token"] = (await ask("POST", "/v1/agents/spy/token"))["agent_token"]
    link = await ask("POST", "/v1/auth/console-link")
    planted["link code"] = link["url"].rpartition("code=")[2]
    cookie = await ask("POST", "/v1/auth/exchange", {"code": planted["link code"]}, token="")
    planted["session"] = cookie.partition("=")[2].partition(";")[0]
    await ask("GET", "/v1/me", None, f"Cookie: instar_session={planted['session']}", token="")
    await ask("POST", "/v1/auth/exchange", {"code": planted["link code"]}, token="")
    planted["unused link code"] = (await ask("POST", "/v1/auth/console-link"))["url"].rpartition("code=")[2]
    return planted


async def plant_passwords(spy: Spy) -> dict[str, str]:
    """Add a person, sign in, guess, and change the password; return every password and the session."""
    ask, kept = spy.ask, {f"password {name}": f"canary-{name}-{'wallaby' * 2}" for name in ("first", "second", "guess")}
    first, second, guess = kept.values()
    await ask("POST", "/v1/people", {"login": "ada", "password": first, "scopes": ["observe"]})
    cookie = await ask("POST", "/v1/auth/password", {"login": "ada", "password": first}, token="")
    kept["person's session"] = cookie.partition("=")[2].partition(";")[0]
    await ask("POST", "/v1/auth/password", {"login": "ada", "password": guess}, token="")
    await ask("POST", "/v1/auth/password", {"login": "ada", "password": guess, "other": 1}, token="")
    await ask("POST", "/v1/people/ada/password", {"password": second})
    await ask("POST", "/v1/people/nobody/password", {"password": second, "current": first})
    await ask("POST", "/v1/people", {"login": "ada", "password": second, "scopes": ["observe"]})
    return kept


async def plant_misplaced(spy: Spy) -> dict[str, str]:
    """Put secrets where none belongs: each request is refused, and none repeats what it was given."""
    ask, kept = spy.ask, {name: f"ik_canary{name}{'x' * 30}" for name in ("Wrong", "Url", "Cookie", "Basic", "Code")}
    await ask("GET", "/v1/me", token=kept["Wrong"])
    await ask("GET", f"/v1/me?access_token={kept['Url']}")
    await ask("GET", f"/console/?access_token={kept['Url']}")
    await ask("GET", "/v1/me", None, f"Cookie: instar_session={kept['Cookie']}", token="")
    await ask("GET", "/v1/me", None, f"Authorization: Basic {kept['Basic']}", token="")
    await ask("POST", "/v1/auth/exchange", {"code": kept["Code"]}, token="")
    socket = await Socket.open(spy.hub)
    frame = {"op": "IDENTIFY", "version": "moltnet.attach.v1", "network_id": "local", "agent": {"id": "a b"}}
    socket.send(
        json.dumps(
            {**frame, "agent_token": (kept := kept | {"Frame": "magt_v1_canaryFrame" + "x" * 30})["Frame"]}
        ).encode()
    )
    spy.errors += [payload for opcode, payload in await socket.until_end() if opcode == TEXT]
    await socket.wire.close()
    return kept


async def plant_texts(spy: Spy) -> dict[str, str]:
    """Say, edit and redact; return what was erased."""
    texts = {name: f"canary-{name}-" + "quokka" * 4 for name in ("said", "edited", "filename", "data", "url")}
    parts = [
        {"kind": "text", "text": texts["said"]},
        {"kind": "file", "url": "https://e.org/f", "filename": texts["filename"]},
        {"kind": "data", "data": {"secret": texts["data"]}},
        {"kind": "url", "url": f"https://e.org/{texts['url']}"},
    ]
    assert (await spy.ask("POST", "/v1/rooms", {"id": "quiet"}))["id"]
    sent = await spy.ask("POST", "/v1/messages", {"id": "m-secret", "target": ROOM, "parts": parts})
    assert sent.get("accepted"), sent
    edit = {"parts": [{"kind": "text", "text": texts["edited"]}]}
    assert (await spy.ask("PATCH", "/v1/messages/m-secret", edit))["edited_at"]
    while not (await spy.ask("GET", "/v1/search?q=canary"))["hits"]:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.01)
    assert (await spy.ask("DELETE", "/v1/messages/m-secret"))["redaction"]
    while (await spy.ask("GET", "/v1/status"))["search_lag"]:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    return texts


def files_under(folder: Path, wanted: Callable[[Path], bool] = lambda _: True) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and wanted(path)
    }


def archive_members(path: Path) -> dict[str, bytes]:
    """Return what an archive holds, and the archive itself."""
    found = {path.name: path.read_bytes()}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            if (content := archive.extractfile(member)) is not None:
                found[f"{path.name}/{member.name}"] = content.read()
    return found


def leaks(secrets: dict[str, str], places: dict[str, bytes]) -> list[str]:
    pairs = [(name, place) for name in secrets for place in places]
    return [f"{name} in {place}" for name, place in pairs if secrets[name].encode() in places[place]]


async def test_no_canary_is_found(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub", "--log-level", "debug", "--set", "server.access_log=true")
    await hub.start()
    spy = Spy(hub)
    tokens = await plant_tokens(spy) | await plant_misplaced(spy) | await plant_passwords(spy)
    texts = await plant_texts(spy)
    assert len(tokens) + len(texts) >= 20

    backup = Path((await spy.ask("POST", "/v1/backups", {"name": ""}))["path"])
    metrics = await spy.ask("GET", "/metrics")
    assert hub.process is not None
    proc = Path(f"/proc/{hub.process.pid}")
    told = {
        "metrics": metrics,
        "argv": (proc / "cmdline").read_bytes(),
        "environment": (proc / "environ").read_bytes(),
        "error bodies": b"\n".join(spy.errors),
    }
    running = files_under(hub.data_dir, lambda path: path.name != "local-grant")
    archive = archive_members(backup) if tarfile.is_tarfile(backup) else files_under(backup)
    await hub.stop()
    told["log"] = hub.log().encode()
    assert b"/v1/auth/exchange" in told["log"], "the access log is on"
    assert len(spy.errors) >= 8
    stopped = files_under(hub.data_dir, lambda path: path.name != "local-grant")

    assert leaks(tokens, told | running | stopped | archive) == []
    assert leaks(texts, told) == []
    assert leaks(texts, stopped) == []
    assert leaks(texts, archive) == []
    assert any(content.startswith(b"SQLite format 3") for content in stopped.values())
    assert sqlite3.connect(f"file:{next(hub.data_dir.glob('*.db'))}?mode=ro", uri=True).execute("PRAGMA quick_check")


async def test_the_search_for_canaries_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"..ik_here..")
    assert leaks({"x": "ik_here"}, files_under(tmp_path)) == ["x in a"]
