"""The commands, each against a real hub."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from instar.cli.commands import keys
from instar.cli.completions import agents, rooms
from instar.client.http import Client

from .conftest import BIN, Cli, Hub


@pytest.fixture
def room(hub: Hub, request: pytest.FixtureRequest) -> str:
    """A room of the test's own."""
    made = f"r-{abs(hash(request.node.name)) % 10**9}"
    hub.client.invoke("rooms.create", {"id": made, "write_policy": "registered_agents", "members": ["operator"]})
    return made


@pytest.fixture
def agent(hub: Hub, room: str) -> str:
    """A registered agent that is a member of the room."""
    hub.client.invoke("agents.register", {"requested_agent_id": f"a-{room}"})
    hub.client.invoke("rooms.members", {"room_id": room, "add": [f"a-{room}"]})
    return f"a-{room}"


def test_what_was_sent_can_be_read(cli: Cli, room: str):
    sent = cli("send", room, "one\ntwo", "--json").document
    cli("send", f"room:{room}", "answer", "--reply-to", sent["message_id"])
    page = cli("read", room, "--json").document
    assert [message["parts"][0]["text"] for message in page["messages"]] == ["one\ntwo", "answer"]
    assert page["messages"][1]["reply_to"] == sent["message_id"]
    text = cli("read", room).out
    assert "operator: one\n                    two\n" in text
    assert cli("read", room, "--before", str(page["messages"][1]["seq"]), "-o", "jsonl").out.count("\n") == 1


def test_a_person_becomes_a_member_by_login(cli: Cli, hub: Hub, room: str):
    person = hub.client.invoke(
        "people.add", {"login": f"p-{room}", "password": "correct horse battery", "scopes": ["observe"]}
    )
    added = cli("rooms", "members", "add", room, f"p-{room}", "unknown", "--json").document
    assert added["members"] == ["operator", "unknown", person["id"]]
    hub.client.invoke("agents.register", {"requested_agent_id": f"p-{room}"})
    assert f"p-{room}" in cli("rooms", "members", "add", room, f"p-{room}", "--json").document["members"]
    left = cli("rooms", "members", "remove", room, person["id"], f"p-{room}", "unknown", "--json").document
    assert left["members"] == ["operator"]


def test_who_may_not_see_people_names_members_by_id(cli: Cli, hub: Hub, room: str, tmp_path: Path):
    made = hub.client.invoke("keys.create", {"name": "builder", "scopes": ["admin"]})
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(made["token"])
    assert "delta" in cli("rooms", "members", "add", room, "delta", "--token-file", str(token)).out


def test_a_repeat_under_an_id_is_stored_once(cli: Cli, room: str):
    first = cli("send", room, "once", "--id", f"m-{room}", "--json").document
    again = cli("send", room, "once", "--id", f"m-{room}", "--json").document
    assert again["seq"] == first["seq"]
    other = cli("send", room, "twice", "--id", f"m-{room}", "--json")
    assert (other.code, other.document["error"]["code"]) == (5, "id_reused")


def test_standard_input(cli: Cli, room: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("piped"))
    assert cli("send", room, "-").code == 0
    assert "operator: piped" in cli("read", room).out


def test_files(cli: Cli, room: str, hub: Hub):
    Path("note.txt").write_text("kept")
    Path("dot.png").write_bytes(b"\x89PNG")
    assert cli("send", room, "see", "--file", "note.txt", "--file", "dot.png").code == 0
    (message,) = cli("read", room, "--json").document["messages"]
    assert [part["kind"] for part in message["parts"]] == ["text", "file", "image"]
    with hub.client.ask("blobs.get", {"blob": message["parts"][1]["blob"]}) as answer:
        assert answer.read() == b"kept"
    assert "[image dot.png]" in cli("read", room).out


def test_threads(cli: Cli, room: str):
    assert cli("send", f"thread:t-{room}@{room}", "in a thread").code == 0
    assert cli("send", f"thread:t-{room}", "again").code == 0
    assert cli("read", f"thread:t-{room}", "-o", "jsonl").out.count("\n") == 2


def test_direct_messages(cli: Cli, agent: str):
    assert cli("dm", agent, "psst").code == 0
    assert cli("send", f"@{agent}", "again").code == 0
    (conversation,) = {
        message["target"]["dm_id"] for message in cli("read", f"@{agent}", "--json").document["messages"]
    }
    assert cli("send", f"dm:{conversation}", "third", "--as", agent).code == 0
    assert f"{agent}: third" in cli("read", f"dm:{conversation}").out


def test_sessions(cli: Cli, agent: str, hub: Hub):
    target = f"session:{hub.client.invoke('sessions.open', {'agent_id': agent})['id']}"
    assert cli("send", target, "hello").code == 0
    assert cli("send", target, "hello back", "--as", agent).code == 0
    assert f"{agent}: hello back" in cli("read", target).out
    assert cli("rooms", "export", target).out.count("message.created") == 2


def test_did_you_mean(cli: Cli, agent: str):
    wrong = cli("send", "genreal", "hi", "--json")
    assert (wrong.code, wrong.document["error"]["hint"]) == (3, "Did you mean general?")
    wrong = cli("agents", "show", f"{agent}x")
    assert wrong.code == 3
    assert f"Did you mean {agent}?" in wrong.err
    wrong = cli("dm", "guyde", "hi", "--json")
    assert (wrong.code, wrong.document["error"]["hint"]) == (3, "Did you mean guide?")


def test_search(cli: Cli, room: str, hub: Hub):
    seq = cli("send", room, f"needle{room[2:]} in hay", "--json").document["seq"]
    while cli("search", "needle", "--json").document["indexed_seq"] < seq:
        hub.client.invoke("events.read", {"after": str(seq), "wait": 0.01})
    assert "operator:" in cli("search", f"needle{room[2:]}", "--in", room).out
    assert cli("search", f"needle{room[2:]}", "--from", "guide").out == "Nothing was found.\n"
    assert cli("search", f"needle{room[2:]}", "--before", "1").out == "Nothing was found.\n"


def test_tail_shows_what_happens_and_ends_quietly(hub: Hub, cli: Cli, room: str):
    seq = cli("send", room, "before", "--json").document["seq"]
    argv = [str(BIN / "instar"), "tail", room, "--since", str(seq), "--limit", "2", "-o", "jsonl"]
    with subprocess.Popen(argv, env=hub.environ, stdout=subprocess.PIPE, text=True) as tail:
        cli("send", room, "first")
        cli("send", "general", "elsewhere")
        cli("send", room, "second")
        assert tail.stdout is not None
        events = [json.loads(line) for line in tail.stdout]
        assert tail.wait() == 0
    assert [event["message"]["parts"][0]["text"] for event in events] == ["first", "second"]


def test_tail_of_a_closed_pipe(hub: Hub, room: str):
    script = f"instar tail --since 0 --limit 3 | head -n 1; instar tail {room}x"
    done = subprocess.run(
        ["sh", "-c", script], env=hub.environ, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stdout.count("\n") == 1


def test_an_interrupted_tail(hub: Hub):
    argv = [str(BIN / "instar"), "tail", "--since", "0"]
    with subprocess.Popen(argv, env=hub.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline()
        tail.send_signal(2)
        _, err = tail.communicate()
        assert tail.returncode == 130
    assert "Traceback" not in err


def test_rooms(cli: Cli, room: str, agent: str):
    assert room in cli("rooms").out
    assert any(row["id"] == room for row in map(json.loads, cli("rooms", "list", "-o", "jsonl").out.splitlines()))
    assert cli("rooms", "create", room, "--json").document["error"]["code"] == "conflict"
    assert cli("rooms", "create", "no room", "--json").code == 2
    made = cli("rooms", "create", f"of-{room}", "--members", "alpha,beta", "--member", "gamma", "--json").document
    assert made["members"] == ["alpha", "beta", "gamma"]
    assert cli("rooms", "members", "add", f"of-{room}", "delta").out.endswith("alpha, beta, delta, gamma\n")
    assert "not registered" in cli("agents", "show", "delta").out
    assert agent in cli("rooms", "show", room).out
    assert cli("rooms", "members", "remove", room, agent, "--json").document["members"] == ["operator"]
    refused = cli("rooms", "remove", room)
    assert refused.code == 2
    assert "Add --yes" in refused.err
    assert cli("rooms", "remove", room, "--yes").out == f"Removed {room}.\n"
    assert cli("read", room).code == 3


def test_export(cli: Cli, room: str):
    cli("send", room, "kept")
    events = [json.loads(line) for line in cli("rooms", "export", room).out.splitlines()]
    assert events[-1]["events"] == len(events) - 1
    done = cli("rooms", "export", room, "--to", "room.ndjson", "--json").document
    assert done["events"] == events[-1]["events"]
    assert len(Path("room.ndjson").read_text().splitlines()) == len(events)


def test_agents(cli: Cli, agent: str, hub: Hub):
    assert agent in cli("agents").out
    assert cli("agents", "register", agent).out == f"Already registered: {agent}.\n"
    assert cli("agents", "wake", agent, "mentions").out.strip() == f"{agent} wakes on mentions."
    assert cli("agents", "wake", agent, "all", "--room", "general").out.strip() == f"{agent} wakes on all in general."
    assert "mentions" in cli("agents", "show", agent).out
    assert cli("agents", "pause", agent).out.startswith(f"Paused {agent};")
    assert "paused" in cli("agents", "show", agent).out
    assert cli("agents", "resume", agent).out == f"Resumed {agent}.\n"
    token = cli("agents", "token", agent).out.strip()
    assert Client(hub.client.url, token).invoke("auth.whoami")["agents"] == [agent]
    assert cli("agents", "remove", agent, "--yes").code == 0


def test_an_agents_own_token(cli: Cli, room: str):
    made = cli("agents", "register", f"own-{room}", "--issue-token", "--wake", "never", "--json").document
    assert made["agent_token"]
    assert cli("agents", "show", f"own-{room}", "--json").document["wake"] == "never"


def test_the_inbox(cli: Cli, room: str, agent: str):
    seqs = [cli("send", room, f"work {n}", "--json").document["seq"] for n in range(3)]
    listed = cli("inbox", "list", "--agent", agent, "--json").document
    assert [item["seq"] for item in listed["items"]] == seqs
    leased = cli("inbox", "list", "--agent", agent, "--lease", "--limit", "2", "--json").document["items"]
    assert cli("inbox", "ack", "--agent", agent, str(seqs[0]), "--lease", leased[0]["lease"], "--json").code == 0
    nacked = cli("inbox", "nack", "--agent", agent, str(seqs[1]), "--reason", "cannot", "--final", "--json")
    assert nacked.document["settled"] == 1
    dead = cli("inbox", "list", "--agent", agent, "--state", "dead", "-o", "jsonl")
    assert json.loads(dead.out)["error"] == "cannot"
    assert cli("inbox", "replay", "--agent", agent, "--all", "--json").document["settled"] == 1
    assert cli("inbox", "ack", "--agent", agent, "--up-to", str(seqs[2]), "--json").document["low_water"] >= seqs[2]
    assert cli("inbox", "list", "--agent", agent).out == "Nothing pending.\n"


def test_a_long_poll(hub: Hub, cli: Cli, room: str, agent: str):
    argv = [str(BIN / "instar"), "inbox", "list", "--agent", agent, "--wait", "20", "--json"]
    with subprocess.Popen(argv, env=hub.environ, stdout=subprocess.PIPE, text=True) as waiting:
        cli("send", room, "wake up")
        out, _ = waiting.communicate()
    assert len(json.loads(out)["items"]) == 1


def test_keys(cli: Cli, hub: Hub, room: str, agent: str):
    made = cli(
        "keys", "create", "--name", room, "--scope", "write", "--agent", agent, "--expires", "30d", "--json"
    ).document
    token = Path("token")
    token.write_text(made["token"])
    token.chmod(0o600)
    assert cli("send", room, "by key", "--as", agent, "--token-file", "token").code == 0
    denied = cli("rooms", "create", "other", "--token-file", "token", "--json")
    assert denied.code == 4
    shown = cli("keys", "list")
    assert room in shown.out
    assert made["token"] not in shown.out
    rotated = cli("keys", "rotate", room)
    assert rotated.out.strip() not in ("", made["token"])
    assert "shown once" in rotated.err
    assert cli("status", "--token-file", "token").code == 4
    assert cli("keys", "revoke", room, "--yes").code == 0
    gone = cli("keys", "revoke", room, "--yes", "--json")
    assert (gone.code, gone.document["error"]["code"]) == (3, "not_found")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2w", 1_209_600), ("1.5d", 129_600)])
def test_durations(text: str, seconds: float):
    (option,) = [param for param in keys.create.params if param.name == "expires"]
    assert option.type.convert(text, None, None) == seconds


def test_apply(cli: Cli, room: str):
    plan = Path("plan.yaml")
    plan.write_text(f"rooms:\n  - id: {room}\n    name: Renamed\n  - id: new-{room}\n")
    shown = cli("apply", "plan.yaml", "--dry-run")
    assert f"+ create room new-{room}" in shown.out
    assert cli("rooms", "show", f"new-{room}").code == 3
    assert cli("apply", "plan.yaml").code == 2
    applied = cli("apply", "plan.yaml", "--yes")
    assert (applied.code, applied.out) == (0, "Made 2 changes.\n")
    assert f"~ update room {room}" in applied.err
    assert cli("apply", "plan.yaml").out.endswith("Everything is as declared.\n")


def test_status_and_config(cli: Cli, hub: Hub):
    assert cli("status", "--json").document["pid"] == hub.announcement["pid"]
    rows = cli("config", "show", "--changed", "--json").document["settings"]
    level = next(row for row in rows if row["key"] == "log.level")
    assert (level["value"], level["origin"], level["reload"]) == ("warning", "flag", "live")
    assert "ORIGIN" in cli("config", "--origin").out
    assert "data_dir" in cli("config", "show", "--url", "http://127.0.0.1:1").out


def test_a_service_runs_with_the_settings_of_here_and_without_tokens(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    Path("instar.yaml").write_text("log: {level: warning}\n")
    for name, value in {"LISTEN": "127.0.0.1:1", "AUTH_MODE": "bearer", "TOKEN": "secret", "URL": "http://x"}.items():
        monkeypatch.setenv(f"INSTAR_{name}", value)
    text = cli("service", "install", "--dry-run").out
    assert "INSTAR_LISTEN=127.0.0.1:1" in text
    assert "INSTAR_AUTH_MODE=bearer" in text
    assert f"INSTAR_CONFIG={Path('instar.yaml').resolve()}" in text
    assert "INSTAR_TOKEN" not in text
    assert "INSTAR_URL" not in text


def test_backup_refuses_to_overwrite(cli: Cli):
    Path("old").write_text("precious")
    assert cli("backup", "--to", "old").code == 5
    assert Path("old").read_text() == "precious"


def test_a_second_hub_on_the_same_data_is_refused(hub: Hub):
    argv = [str(BIN / "instar"), "start", "--listen", "127.0.0.1:0", "--json"]
    done = subprocess.run(argv, env=hub.environ, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (5, "storage_locked")
    address = Path(hub.environ["INSTAR_DATA_DIR"]) / "hub-address"
    assert address.read_text() == hub.announcement["url"]


def test_a_public_bind_without_credentials_is_refused(tmp_path: Path, hub: Hub):
    argv = [str(BIN / "instar"), "start", "--listen", "0.0.0.0:0", "--auth-mode", "none", "--json"]
    environ = {**hub.environ, "INSTAR_DATA_DIR": str(tmp_path)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (4, "forbidden")


def test_live_names_complete(hub: Hub, room: str, agent: str, monkeypatch: pytest.MonkeyPatch):
    environ = {**hub.environ, "_INSTAR_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    for words, expected in (
        (f"instar read {room[:-1]}", room),
        (f"instar read @{agent}", f"@{agent}"),
        ("instar rooms ex", "export"),
    ):
        done = subprocess.run(
            [str(BIN / "instar")], env={**environ, "COMP_WORDS": words}, capture_output=True, text=True, check=False
        )
        assert expected in done.stdout.replace("plain,", "").split()
    monkeypatch.setenv("INSTAR_URL", "http://127.0.0.1:1")
    assert rooms(None, None, "") == agents(None, None, "") == []


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX here")
def test_a_person_is_asked_on_a_terminal(hub: Hub, room: str):
    import pty

    for answer, code in ((b"n\n", 130), (b"y\n", 0)):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(str(BIN / "instar"), ["instar", "rooms", "remove", room], {**hub.environ, "TERM": "dumb"})
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(terminal, 1024)
        os.write(terminal, answer)
        try:
            while os.read(terminal, 1024):
                pass
        except OSError:
            pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
        os.close(terminal)
