"""`instar approvals` against a real hub: what is shown is what is decided on."""

import json
from pathlib import Path
from typing import Any

import pytest

from instar.policy.rules import DEFAULT_FILE

from .conftest import Cli, Hub


def ask(hub: Hub, command: str = "git push origin main") -> dict[str, Any]:
    """Have a call of the operator's wait, and return its approval."""
    call = hub.client.invoke("calls.start", {"tool": "shell", "args": {"command": command}, "target": "local"})
    while not (known := [each for each in waiting(hub, 10) if each["call_id"] == call["id"]]):
        continue
    return known[0]


def waiting(hub: Hub, wait: float = 0.0) -> list[dict[str, Any]]:
    return hub.client.invoke("approvals.list", {"wait": wait})["approvals"]


@pytest.fixture(autouse=True)
def _nothing_waits(hub: Hub):
    for each in waiting(hub):
        hub.client.invoke("approvals.deny", {"approval_id": each["id"]})
    for each in hub.client.invoke("approvals.rules")["rules"]:
        if each["layer"] == "remembered":
            hub.client.invoke("approvals.remove_rule", {"rule_id": each["id"]})


def test_all_of_it_is_shown_before_it_is_decided(cli: Cli, hub: Hub):
    asked = ask(hub, "sleep 0.01; echo '" + "a long text " * 40 + "'")
    assert asked["id"] in cli("approvals").out
    shown = cli("approvals", "show", asked["call_id"]).out
    assert "a long text " * 40 in shown
    assert asked["digest"] in shown
    refused = cli("approvals", "approve")
    assert refused.code == 2
    assert "a long text " * 40 in refused.err
    assert [each["id"] for each in waiting(hub)] == [asked["id"]]
    done = cli("approvals", "approve", "--yes", "--json").document
    assert (done["state"], done["id"]) == ("approved", asked["id"])
    assert cli("approvals", "approve", asked["id"], "--yes").code == 5
    assert "was approved by operator" in cli("approvals", "show", asked["id"]).out


def test_what_is_hidden_is_written_out(cli: Cli, hub: Hub):
    ask(hub, "echo a\u202e\x1b[2J")
    shown = cli("approvals", "show").out
    assert "echo a\\u202e\\x1b[2J" in shown
    assert "It cannot become a rule." in shown
    assert cli("approvals", "approve", "--always", "--yes").code == 5


def test_always_shows_the_sentences_first_and_remembers_them(cli: Cli, hub: Hub):
    ask(hub)
    sentence = "Allow the command `git push *` on `local` for people, without asking."
    refused = cli("approvals", "approve", "--always")
    assert (refused.code, sentence in refused.err) == (2, True)
    done = cli("approvals", "approve", "--always", "--expires", "8h", "--yes")
    assert (done.code, sentence in done.err) == (0, True)
    rules = cli("approvals", "rules", "list", "--layer", "remembered", "--json").document["rules"]
    (remembered,) = [each for each in rules if each["layer"] == "remembered"]
    assert remembered["rule"]["value"] == "git push *"
    assert remembered["rule"]["expires_at"]
    assert cli("approvals", "approve", "--expires", "8h", "--yes").code == 3


def test_a_digest_that_was_seen_elsewhere_is_held_to(cli: Cli, hub: Hub):
    asked = ask(hub)
    for verb in ("approve", "deny"):
        refused = cli("approvals", verb, "--digest", "sha256:0", "--yes", "--json")
        assert (refused.code, refused.document["error"]["code"]) == (5, "conflict")
    assert cli("approvals", "deny", "--digest", asked["digest"], "--feedback", "no", "--yes").code == 0
    call = hub.client.invoke("calls.get", {"call_id": asked["call_id"], "wait": 10})
    assert (call["state"], call["error"]["code"]) == ("failed", "denied")
    assert "no" in call["error"]["message"]


def test_which_one_is_meant(cli: Cli, hub: Hub):
    assert cli("approvals", "show").code == 3
    ask(hub, "sleep 0.01")
    ask(hub, "sleep 0.02")
    assert cli("approvals", "show").code == 2
    watched = cli("approvals", "watch", "--limit", "2", "--json").out.splitlines()
    assert {json.loads(line)["command"] for line in watched} == {"sleep 0.01", "sleep 0.02"}


def test_rules_come_and_go(cli: Cli, hub: Hub):
    refused = cli("approvals", "rules", "add", "ls *")
    assert (refused.code, cli("approvals", "judge", "ls -l").out.splitlines()[0]) == (
        2,
        "It would wait for an approval.",
    )
    added = cli("approvals", "rules", "add", "ls *", "--node", "local", "--agent", "-", "--yes")
    assert "Allow the command `ls *` on `local` for people, without asking." in added.out
    assert cli("approvals", "judge", "ls -l", "--node", "local").out.startswith("It would run at once.")
    assert "pattern" in cli("approvals", "judge", "ls *", "--node", "local").out
    assert cli("approvals", "rules", "remove", "--last", "--yes").code == 0
    assert cli("approvals", "rules", "remove", "--last", "--yes").code == 3
    assert cli("approvals", "rules", "add", "ls", "--action", "deny", "--expires", "1h", "--yes").code == 0
    assert cli("approvals", "judge", "ls").out.startswith("It would be refused.")


def test_a_file_is_checked_then_taken_then_given_back(cli: Cli, hub: Hub, tmp_path: Path):
    text, out = tmp_path / "permissions.jsonc", tmp_path / "out.json"
    text.write_text('// ours\n{"shell_exec": {"ls *": "allow"}}')
    checked = cli("approvals", "rules", "import", str(text), "--check")
    assert checked.out == "  Allow the command `ls *`, without asking.\n"
    assert cli("approvals", "rules", "import", str(text)).code == 2
    assert cli("approvals", "rules", "import", str(text), "--yes").code == 0
    assert cli("approvals", "rules", "export", str(out)).code == 0
    assert json.loads(out.read_text()) == [{"tool": "shell_exec", "value": "ls *", "action": "allow"}]
    text.write_text('{"a":\n  "often"}')
    wrong = cli("approvals", "rules", "import", str(text), "--yes", "--json")
    assert wrong.document["error"]["code"] == "unprocessable_entity"
    text.write_text(DEFAULT_FILE)
    assert cli("approvals", "rules", "import", str(text), "--yes").code == 0


def test_an_agents_own_rules_are_its_veto(cli: Cli, hub: Hub, tmp_path: Path):
    hub.ensure("agents.register", requested_agent_id="reader")
    file = tmp_path / "reader.jsonc"
    file.write_text('{ "shell_exec": { "git *": "deny" } } // it only reads')
    done = cli("approvals", "rules", "import", str(file), "--agent", "reader", "--yes")
    assert done.out.strip() == "Replaced the rules of reader: 1."
    judged = cli("approvals", "judge", "git status", "--agent", "reader", "--json").document
    assert judged["action"] == "deny"
    file.write_text("{}")
    assert cli("approvals", "rules", "import", str(file), "--agent", "reader", "--yes").code == 0
    assert cli("approvals", "judge", "git status", "--agent", "reader", "--json").document["action"] == "ask"
