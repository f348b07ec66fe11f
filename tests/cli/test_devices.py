"""`instar devices`, `pairing` and `users` against a real hub: what is shown is what is decided on."""

import io
import os
from typing import Any

import pytest

from instar.client import device
from instar.client.http import Client
from instar.client.pins import Pin

from .conftest import Cli, Hub


def ask(hub: Hub, name: str, *scopes: str) -> dict[str, Any]:
    """Have a new device ask to be let in."""
    hub.client.invoke("pairing.open")
    seed, stranger = os.urandom(32), Client(hub.client.url)
    handshake = device.begin(stranger, seed, Pin())
    wanted = list(scopes or ("observe", "write"))
    return device.ask(stranger, seed, handshake, role="operator", scopes=wanted, facts=device.own_facts(name))


@pytest.fixture(autouse=True)
def _nobody_waits(hub: Hub):
    for each in hub.client.invoke("devices.requests")["requests"]:
        hub.client.invoke("devices.reject", {"request_id": each["id"]})


def test_approving_shows_what_it_approves(cli: Cli, hub: Hub):
    request = ask(hub, "narrowed")
    done = cli("devices", "approve", "--scope", "observe", "--yes")
    assert done.code == 0, done.err
    assert f"fingerprint  {request['fingerprint']}\n" in done.err
    assert "asks for     observe, write\n" in done.err
    assert "gets         observe\n" in done.err
    assert done.out == "Let narrowed in as operator: observe.\n"
    shown = cli("devices", "show", "narrowed", "--json").document
    assert shown["grants"][0]["scopes"] == ["observe"]
    assert shown["fingerprint"] == request["fingerprint"]


def test_what_a_device_calls_itself_cannot_steer_the_terminal(cli: Cli, hub: Hub):
    ask(hub, "evil\N{RIGHT-TO-LEFT OVERRIDE}name")
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in cli("devices", "requests").out
    approved = cli("devices", "approve", "--yes")
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in approved.out + approved.err


def test_without_consent_nobody_is_let_in(cli: Cli, hub: Hub):
    ask(hub, "patient")
    refused = cli("devices", "approve", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (2, "usage")
    assert [each["facts"]["name"] for each in hub.client.invoke("devices.requests")["requests"]] == ["patient"]


def test_which_request_is_meant(cli: Cli, hub: Hub):
    nobody = cli("devices", "approve", "--yes", "--json")
    assert (nobody.code, nobody.document["error"]["code"]) == (3, "not_found")
    first, second = ask(hub, "first"), ask(hub, "second")
    several = cli("devices", "approve", "--yes", "--json")
    assert (several.code, several.document["error"]["code"]) == (2, "usage")
    assert cli("devices", "reject", first["fingerprint"], "--yes").out == "Turned first away.\n"
    assert cli("devices", "approve", second["id"], "--yes").code == 0
    assert cli("devices", "approve", first["id"], "--yes", "--json").code == 3


def test_a_request_that_changed_since_it_was_shown_is_not_approved(cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """The digest of what was shown goes along: nobody is let in for something else."""
    ask(hub, "shifty")
    from instar.cli.session import Session

    real = Session.invoke

    def invoke(self: Session, operation: str, **params: Any) -> dict[str, Any]:
        found = real(self, operation, **params)
        if operation == "devices.requests":
            found["requests"][0]["digest"] = "0" * 64
        return found

    monkeypatch.setattr(Session, "invoke", invoke)
    refused = cli("devices", "approve", "--yes", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (5, "conflict")


def test_which_device_is_meant(cli: Cli, hub: Hub):
    made: list[str] = []
    for _ in range(2):
        made.append(hub.client.invoke("devices.approve", {"request_id": ask(hub, "twin")["id"]})["id"])
    several = cli("devices", "show", "twin", "--json")
    assert (several.code, several.document["error"]["code"]) == (5, "conflict")
    assert made[0][:12] in several.document["error"]["hint"]
    assert cli("devices", "show", made[0][:8], "--json").document["id"] == made[0]
    assert cli("devices", "remove", made[0], "--yes").code == 0
    assert cli("devices", "show", "twin", "--json").document["id"] == made[1]
    near = cli("devices", "show", "twn", "--json")
    assert (near.code, near.document["error"]["hint"]) == (3, "Did you mean twin?")


def test_a_device_that_was_revoked_says_so(cli: Cli, hub: Hub):
    hub.client.invoke("devices.approve", {"request_id": ask(hub, "leaver")["id"]})
    token = cli("devices", "rotate", "leaver", "--yes").out.strip()
    assert token.startswith("idt_")
    assert cli("devices", "revoke", "leaver", "--yes").out == "Ended the rights of leaver.\n"
    assert "revoked" in next(line for line in cli("devices", "list").out.splitlines() if "leaver" in line)


def test_the_window(cli: Cli):
    assert "in 1 min" in cli("pairing", "enable", "--for", "90s").out
    assert cli("pairing", "status", "--json").document["is_open"]
    assert not cli("pairing", "disable", "--json").document["is_open"]
    assert "instar pairing enable" in cli("pairing", "status").out
    assert cli("pairing", "enable", "--for", "2d", "--json").code == 2


def test_passwords_come_by_standard_input_and_never_by_argv(cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch):
    def feed(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    feed("correct horse battery\n")
    assert cli("users", "add", "grace", "--scope", "observe", "--name", "Grace").code == 0
    feed("")
    assert cli("users", "add", "nobody", "--scope", "observe", "--json").document["error"]["code"] == "usage"
    feed("short\n")
    assert cli("users", "passwd", "grace", "--json").document["error"]["code"] == "unprocessable_entity"
    feed("another horse battery\n")
    assert cli("users", "passwd", "grace").code == 0
    signed_in = Client(hub.client.url).invoke("auth.password", {"login": "grace", "password": "another horse battery"})
    assert signed_in["principal"]["name"] == "Grace"
    assert cli("users", "disable", "grace", "--yes").code == 0
    assert "disabled" in cli("users", "list").out
    assert cli("users", "enable", "grace").code == 0
    assert cli("users", "remove", "grace", "--yes").code == 0
    assert "grace" not in cli("users", "list").out
