"""Machines in the console: letting them in, seeing how they are, and choosing where a conversation's calls go."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import BIN, WAIT_MS, Hub, opened

expect.set_options(timeout=WAIT_MS)


def sidebar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Rooms and agents")


class Machine:
    """Another machine: a home of its own, with the node program in the foreground."""

    def __init__(self, hub: Hub, home: Path, name: str) -> None:
        home.mkdir()
        self.name = name
        self._home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTAR_", "XDG_"))}
        self._environ = {**kept, "HOME": str(home), "PYTHONUNBUFFERED": "1"}
        argv = [str(BIN / "instar"), "node", "join", hub.url, "--name", name, "--label", "site=attic", "--foreground"]
        self._log = (home / "log").open("w")
        self.process = subprocess.Popen(argv, env=self._environ, cwd=home, stdout=self._log, stderr=self._log)

    @property
    def said(self) -> str:
        return (self._home / "log").read_text()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)
        self._log.close()


@pytest.fixture(scope="module")
def machine(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    hub.invoke("pairing.open", for_s=600)
    started = Machine(hub, tmp_path_factory.mktemp("machine") / "home", "Attic <b>")
    yield started
    started.stop()


def node_of(hub: Hub, name: str) -> Any:
    found = [node for node in hub.invoke("nodes.list")["nodes"] if node["name"] == name]
    return found[0] if found else None


def admitted(hub: Hub, machine: Machine) -> None:
    """Have the machine be a node that may be asked for everything, whichever tests ran before."""
    deadline = time.monotonic() + WAIT_MS / 1_000
    while not (node := node_of(hub, machine.name)) or not node.get("is_connected"):
        assert time.monotonic() < deadline, machine.said
        for request in hub.invoke("nodes.requests")["requests"]:
            hub.invoke("nodes.approve", request_id=request["request_id"], digest=request["digest"])
    hub.invoke("nodes.permit", node_id=node["id"], permit={"commands": ["*"]})


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def test_the_window_is_opened_and_the_command_is_there_to_copy(page: Page, hub: Hub) -> None:
    page.goto("/console/nodes")
    part = page.get_by_role("region", name="Add a machine")
    expect(part).to_contain_text(f"instar node join {hub.url}")
    part.get_by_role("button", name="Open for 10 minutes").click()
    expect(part.get_by_text(re.compile(r"may ask for (10:00|9:\d\d)"))).to_be_visible()
    part.get_by_role("button", name="Close").click()
    expect(part.get_by_text("Unknown machines cannot ask.")).to_be_visible()


def test_a_hub_on_its_own_machine_alone_says_what_is_in_the_way(page: Page, hub: Hub) -> None:
    page.goto("/console/nodes")
    part = page.get_by_role("region", name="Add a machine")
    expect(part.get_by_text("no other one reaches this address")).to_contain_text("instar config set listen.address")
    expect(part).not_to_contain_text("--fingerprint")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_command_pins_the_certificate_and_says_what_to_compare(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    hub = Hub(tmp_path, listen="0.0.0.0:0")
    seen: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    context, page, _ = opened(
        browser, hub, ignore_https_errors=True, permissions=["clipboard-read", "clipboard-write"], **seen
    )
    try:
        page.goto(hub.announcement["console_url"])
        page.get_by_text("Live", exact=True).wait_for()
        page.goto("/console/nodes")
        part = page.get_by_role("region", name="Add a machine")
        window = hub.invoke("pairing.status")
        certificate = hub.announcement["fingerprint"]
        assert window["reach"]["certificate"] == certificate
        command = f"instar node join {window['reach']['url']} --fingerprint {certificate}"
        expect(part).to_contain_text(command)
        for fingerprint in (certificate, window["hub_fingerprint"]):
            expect(part.get_by_label("What is compared").get_by_text(fingerprint, exact=True)).to_be_visible()
        copy = part.get_by_role("button", name="Copy the command")
        copy.focus()
        page.keyboard.press("Enter")
        expect(copy).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == command
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    finally:
        context.close()
        hub.stop()


def test_a_machine_is_let_in_and_shows_how_it_is(page: Page, hub: Hub, machine: Machine) -> None:
    page.goto("/console/room/general")
    nodes = sidebar(page).get_by_role("button", name="Nodes")
    expect(nodes).to_contain_text("1 waiting")
    nodes.click()
    asking = page.get_by_role("article", name="Attic <b> asks to be a node")
    fingerprint = asking.get_by_test_id("fingerprint").inner_text()
    assert fingerprint in machine.said
    expect(asking.get_by_role("radio", name=re.compile("^Everything it offers"))).to_be_checked()
    asking.get_by_role("radio", name=re.compile("^Reading only")).check()
    asking.get_by_role("button", name="Approve").click()
    expect(asking).to_have_count(0)
    expect(nodes).not_to_contain_text("waiting")

    shown = card(page, "Attic <b>")
    expect(shown).to_contain_text("connected")
    expect(shown).to_contain_text("site=attic")
    for meter in ("CPU", "Memory"):
        expect(shown.get_by_role("meter", name=meter, exact=True)).to_have_attribute(
            "aria-valuenow", re.compile(r"^\d+$")
        )
    expect(shown.get_by_role("meter", name=re.compile("^Disk "))).not_to_have_count(0)
    expect(shown.get_by_text(re.compile("^Up for "))).to_be_visible()
    expect(shown).to_contain_text("May be asked for: ")
    assert node_of(hub, "Attic <b>")["permit"]["commands"] == ["read_file", "list", "glob", "grep", "get_file"]
    expect(shown.get_by_role("button", name="Terminal")).to_have_count(0)

    shown.get_by_role("button", name="More").click()
    expect(shown).to_contain_text(fingerprint)
    expect(shown).to_contain_text(re.compile(r"Python \d"))
    shown.get_by_role("radio", name=re.compile("^Everything it offers")).check()
    shown.get_by_role("button", name="Save what it may be asked").click()
    expect(shown.get_by_role("button", name="Terminal")).to_be_visible()
    assert node_of(hub, "Attic <b>")["permit"]["commands"] == ["*"]
    shown.get_by_role("textbox", name="Labels").fill("site=cellar, gpu=yes")
    shown.get_by_role("button", name="Save labels").click()
    expect(shown.get_by_role("list", name="Labels")).to_contain_text("gpu=yes")
    assert node_of(hub, "Attic <b>")["labels"]["site"] == "cellar"


def test_the_status_of_remote_execution_is_told(page: Page, hub: Hub, machine: Machine) -> None:
    page.goto("/console/nodes")
    status = page.get_by_role("region", name="Remote Exec Status")
    expect(status).to_contain_text("Calls go to")
    expect(status).to_contain_text(re.compile(r"\d+ of \d+"))
    checks = hub.invoke("nodes.exec_status")["checks"]
    assert checks
    for check in checks:
        expect(status).to_contain_text(check["title"])


def test_a_terminal_opens_on_another_machine(page: Page, hub: Hub, machine: Machine) -> None:
    admitted(hub, machine)
    page.goto("/console/nodes")
    card(page, "Attic <b>").get_by_role("button", name="Terminal").click()
    dialog = page.get_by_role("dialog", name="Terminal on Attic <b>")
    dialog.get_by_role("button", name="Approve once").click()
    expect(dialog.get_by_role("status")).to_have_text("running")
    page.keyboard.type("echo $((6*7))\n")
    expect(dialog.locator(".xterm-accessibility")).to_contain_text(re.compile(r"\b42\b"))
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


# SSH targets


def test_ssh_targets_are_named_tried_and_forgotten(page: Page, hub: Hub) -> None:
    page.goto("/console/nodes")
    keys = page.get_by_role("region", name="SSH keys")
    keys.get_by_role("textbox", name="Name of a new key").fill("deploy")
    keys.get_by_role("button", name="Generate", exact=True).click()
    expect(keys.get_by_role("listitem", name="deploy")).to_contain_text("ssh-ed25519 ")
    targets = page.get_by_role("region", name="SSH targets")
    expect(targets).to_contain_text("no telemetry, no presence")
    targets.get_by_role("button", name="Add an SSH target").click()
    form = targets.get_by_role("form", name="Add an SSH target")
    form.get_by_role("textbox", name="Name").fill("build")
    form.get_by_role("textbox", name="Address").fill("nobody@127.0.0.1")
    form.get_by_role("textbox", name="Port").fill("9")
    form.get_by_role("radio", name=re.compile("a key that the hub keeps")).check()
    form.get_by_role("button", name="Add").click()
    row = targets.get_by_role("listitem", name="build")
    expect(row).to_contain_text("nobody@127.0.0.1:9")
    expect(row).to_contain_text("managed key")
    expect(row).to_contain_text("host not pinned")
    row.get_by_role("button", name="Test").click()
    expect(row.get_by_role("alert")).not_to_be_empty()
    # The first one is what `ssh` alone means; nothing goes there unless it is chosen.
    expect(row).to_contain_text("default for ssh")
    row.get_by_role("button", name="No default").click()
    expect(row).not_to_contain_text("default for ssh")
    row.get_by_role("button", name="Make default").click()
    expect(row).to_contain_text("default for ssh")
    assert [each["is_default"] for each in hub.invoke("ssh.targets")["targets"]] == [True]
    row.get_by_role("button", name="Remove").click()
    row.get_by_role("button", name="Remove").last.click()
    expect(row).to_have_count(0)
    expect(targets).to_contain_text("No SSH target has been named yet.")


# Where calls go


def picker(page: Page) -> Locator:
    return page.get_by_role("button", name="Calls of this conversation run on")


def route_of(hub: Hub, room: str) -> str:
    return next((each["target"] for each in hub.invoke("routes.list")["routes"] if each.get("room") == room), "")


def test_the_choice_of_a_machine_is_hidden_while_there_is_none(browser: Browser, own_hub: Hub) -> None:
    context, page, _ = opened(browser, own_hub)
    page.goto(own_hub.announcement["console_url"])
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    expect(picker(page)).to_have_count(0)
    own_hub.invoke("ssh.add_target", label="build", address="build.example")
    expect(picker(page)).to_be_visible()
    context.close()


def test_a_machine_is_chosen_by_keyboard_and_stays_chosen(page: Page, hub: Hub) -> None:
    hub.room("routed")
    hub.invoke("ssh.add_target", label="far", address="far.example")
    page.goto("/console/room/routed")
    expect(picker(page)).to_have_accessible_name(re.compile("Default route$"))
    picker(page).focus()
    page.keyboard.press("Enter")
    options = page.get_by_role("listbox", name="Run calls on").get_by_role("option")
    expect(options.first).to_contain_text("Local")
    expect(options.filter(has_text="far")).to_contain_text("OpenSSH target")
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(picker(page)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(picker(page)).to_have_accessible_name(re.compile("Local$"))
    assert route_of(hub, "room:routed") == "local"
    page.keyboard.press("Enter")
    expect(options.filter(has_text="Local")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(picker(page)).to_have_accessible_name(re.compile("far$"))
    assert route_of(hub, "room:routed") == "ssh:far"
    page.reload()
    expect(picker(page)).to_have_accessible_name(re.compile("far$"))
    target = next(each["id"] for each in hub.invoke("ssh.targets")["targets"] if each["label"] == "far")
    hub.invoke("ssh.remove_target", ssh_target_id=target)
    expect(picker(page)).to_have_accessible_name(re.compile(r"ssh:far \(gone\)$"))
    picker(page).click()
    options.filter(has_text="Default route").click()
    expect(picker(page).or_(page.get_by_role("textbox", name="Message")).first).to_be_visible()
    assert route_of(hub, "room:routed") == ""


def test_the_palette_knows_machines_and_pages(page: Page, hub: Hub) -> None:
    page.goto("/console/room/general")
    # Live is the link; which pages there are is known once the hub has said who looks.
    expect(sidebar(page).get_by_role("button", name="Approvals")).to_be_visible()
    for wanted, url in (("node", "/console/nodes$"), ("approv", "/console/approvals$")):
        page.keyboard.press("Control+k")
        page.keyboard.type(wanted)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(url))
    page.keyboard.press("Control+k")
    page.keyboard.type("terminal on local")
    expect(page.get_by_role("option", name=re.compile("Terminal on local"))).to_be_visible()
    page.keyboard.press("Escape")


def test_a_phone_shows_machines_whole(page: Page, hub: Hub, machine: Machine) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    for path in ("nodes", "approvals"):
        page.goto(f"/console/{path}")
        expect(page.get_by_role("heading", name=path.title(), level=1)).to_be_visible()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
