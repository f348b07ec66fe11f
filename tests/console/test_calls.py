"""Calls in the console: deciding about them, seeing them run, and a terminal on a machine."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import WAIT_MS, Hub, opened

expect.set_options(timeout=WAIT_MS)


def sidebar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Rooms and agents")


def ask(hub: Hub, *argv: str, **more: Any) -> Any:
    """Ask for a command on the hub's own machine."""
    return hub.invoke("calls.start", tool="exec", args={"argv": argv}, target="local", **more)


def line(hub: Hub, command: str, **more: Any) -> Any:
    return hub.invoke("calls.start", tool="shell", args={"command": command}, target="local", **more)


def ended(hub: Hub, call: Any) -> Any:
    """Wait until a call that may wait for an approval has ended."""
    while "ended_at" not in call:
        call = hub.invoke("calls.get", call_id=call["id"], wait=10)
    return call


def waiting(page: Page, text: str) -> Locator:
    return page.get_by_role("article").filter(has=page.get_by_test_id("command").filter(has_text=text))


# Deciding


def test_a_call_is_shown_whole_and_approved_once(page: Page, hub: Hub) -> None:
    page.goto("/console/room/general")
    call = line(hub, "echo first && echo 'a\u202eb' # whole", reason="to see it")
    approvals = sidebar(page).get_by_role("button", name="Approvals")
    expect(approvals).to_contain_text("1 waiting")
    approvals.click()
    shown = waiting(page, "echo first")
    expect(shown.get_by_test_id("command")).to_have_text("echo first && echo 'a⟨U+202E⟩b' # whole")
    expect(shown).to_contain_text("local")
    expect(shown).to_contain_text("to see it")
    expect(shown).to_contain_text(re.compile(r"expires in \d+:\d\d"))
    shown.get_by_role("button", name="Approve once").click()
    expect(shown).to_have_count(0)
    expect(approvals).not_to_contain_text("waiting")
    assert ended(hub, call)["exit_status"] == 0
    # Once is once.
    again = line(hub, "echo first && echo 'a\u202eb' # whole", reason="to see it")
    expect(waiting(page, "echo first")).to_be_visible()
    hub.invoke("calls.cancel", call_id=again["id"])
    expect(waiting(page, "echo first")).to_have_count(0)


def test_always_shows_the_rule_before_it_is_made(page: Page, hub: Hub) -> None:
    page.goto("/console/approvals")
    call = ask(hub, "printf", "always")
    shown = waiting(page, "printf always")
    shown.get_by_role("button", name="Always…").click()
    remember = shown.get_by_role("group", name="Remember")
    sentence = remember.get_by_role("listitem").first.inner_text()
    assert "printf" in sentence
    remember.get_by_role("button", name="Back").click()
    shown.get_by_role("button", name="Always…").click()
    remember.get_by_role("button", name="Approve and remember").click()
    assert ended(hub, call)["stdout"] == "always"
    rules = page.get_by_role("region", name="Rules")
    row = rules.get_by_role("listitem").filter(has_text=sentence)
    expect(row).to_contain_text("remembered")
    assert ended(hub, ask(hub, "printf", "always"))["exit_status"] == 0
    row.get_by_role("button", name="Remove").click()
    row.get_by_role("button", name="Remove").last.click()
    expect(row).to_have_count(0)


def test_a_denial_says_why(page: Page, hub: Hub) -> None:
    page.goto("/console/approvals")
    call = ask(hub, "sleep", "99")
    shown = waiting(page, "sleep 99")
    shown.get_by_role("button", name="Deny…").click()
    shown.get_by_role("textbox", name="Why, for whoever asked").fill("not on a Friday")
    shown.get_by_role("button", name="Deny", exact=True).click()
    expect(shown).to_have_count(0)
    done = ended(hub, call)
    assert (done["state"], done["error"]["code"]) == ("failed", "denied")
    assert "not on a Friday" in done["error"]["message"] + done["error"].get("hint", "")


def test_a_phone_decides_in_two_taps(page: Page, hub: Hub) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    call = ask(hub, "echo", "/a/rather/long/path" * 20)
    page.goto("/console/approvals")
    shown = waiting(page, "rather/long")
    expect(shown).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    shown.get_by_role("button", name="Approve once").click()
    assert ended(hub, call)["exit_status"] == 0


# In rooms


def test_a_call_shows_in_its_room_as_it_runs(page: Page, hub: Hub) -> None:
    hub.room("building")
    page.goto("/console/room/building")
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    call = line(hub, "echo begin; read answer; echo got $answer >&2; exit 3", room="room:building", has_input=True)
    row = page.get_by_role("article", name=re.compile("^Call by "))
    expect(row.get_by_role("button", name="Approve once")).to_be_visible()
    row.get_by_role("button", name="Approve once").click()
    expect(row).to_contain_text("running")
    expect(row.get_by_role("group", name="Output")).to_contain_text("begin")
    hub.client.open("POST", f"/v1/calls/{call['id']}/input?eof=true", body=b"yes\n").close()
    expect(row).to_contain_text("exit status 3")
    expect(row.get_by_role("group", name="Output")).to_contain_text("got yes")
    row.get_by_role("button", name=re.compile("^Whole output")).click()
    expect(row.get_by_role("region", name="Standard error")).to_contain_text("got yes")
    expect(row.get_by_role("region", name="Standard output")).to_contain_text("begin")
    page.reload()
    expect(row).to_contain_text("exit status 3")


def allowed(hub: Hub, call: Any) -> Any:
    """Approve a call that waits."""
    while not (found := [each for each in hub.invoke("approvals.list")["approvals"] if each["call_id"] == call["id"]]):
        hub.invoke("calls.get", call_id=call["id"], wait=1)
    hub.invoke("approvals.approve", approval_id=found[0]["id"], digest=found[0]["digest"])
    return call


def test_calls_show_the_end_of_their_output_after_a_reload(page: Page, hub: Hub) -> None:
    hub.room("later")
    room = {"room": "room:later"}
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/console/room/later")
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    short = allowed(hub, line(hub, "echo sh\\ort; echo aside >&2; exit 4", **room))
    long = allowed(hub, line(hub, "seq 1 60000; echo the e\\nd", **room))
    for call in (short, long):
        ended(hub, call)
    runs = allowed(hub, line(hub, "echo be\\gun; read go; echo do\\ne; exit 6", has_input=True, **room))
    cards = page.get_by_role("article", name=re.compile("^Call by "))
    expect(cards.nth(2).get_by_role("group", name="Output")).to_contain_text("begun")
    for _ in range(2):
        page.reload()
        expect(cards).to_have_count(3)
        expect(cards.nth(0)).to_contain_text("exit status 4")
        for said in ("short", "aside"):
            expect(cards.nth(0).get_by_role("group", name="Output")).to_contain_text(said)
        expect(cards.nth(1).get_by_role("group", name="Output")).to_have_text(
            re.compile(r"^59990\n.*60000\nthe end$", re.S)
        )
    expect(cards.nth(2)).to_contain_text("running")
    expect(cards.nth(2).get_by_role("group", name="Output")).to_have_text("begun")
    hub.client.open("POST", f"/v1/calls/{runs['id']}/input?eof=true", body=b"go\n").close()
    expect(cards.nth(2)).to_contain_text("exit status 6")
    expect(cards.nth(2).get_by_role("group", name="Output")).to_have_text("begun\ndone")
    # All of a long one is read a page at a time.
    cards.nth(1).get_by_role("button", name=re.compile("^Whole output")).click()
    stored = cards.nth(1).get_by_role("group", name="Stored output")
    expect(stored).to_contain_text("\n40000\n")
    cards.nth(1).get_by_role("button", name=re.compile("^More ")).click()
    expect(stored).to_contain_text("the end")
    expect(cards.nth(1).get_by_role("button", name=re.compile("^More "))).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_call_is_cancelled_where_it_shows(page: Page, hub: Hub) -> None:
    hub.room("stopping")
    page.goto("/console/room/stopping")
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()
    call = ask(hub, "sleep", "600", room="room:stopping")
    row = page.get_by_role("article", name=re.compile("^Call by "))
    row.get_by_role("button", name="Approve once").click()
    expect(row).to_contain_text("running")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("cancelled")
    assert ended(hub, call)["state"] == "cancelled"


# A terminal


def test_a_terminal_runs_a_shell(page: Page, hub: Hub) -> None:
    page.goto("/console/nodes")
    page.get_by_role("article", name="local", exact=True).get_by_role("button", name="Terminal").click()
    dialog = page.get_by_role("dialog", name="Terminal on local")
    dialog.get_by_role("button", name="Approve once").click()
    screen = dialog.locator(".xterm-accessibility")
    expect(dialog.get_by_role("status")).to_have_text("running")
    page.keyboard.type("stty size; printf '\\033[38;2;255;120;0m%s\\033[0m\\n' $((6*7))\n")
    expect(screen).to_contain_text(re.compile(r"\b42\b"))
    # Colours beyond the palette are styles, which the console's policy must let through.
    orange = (
        "[...document.querySelectorAll('.xterm-rows span')].some(e => getComputedStyle(e).color === 'rgb(255, 120, 0)')"
    )
    page.wait_for_function(orange)
    page.set_viewport_size({"width": 600, "height": 500})
    page.keyboard.type("clear; while sleep 0.1; do stty size; done\n")
    expect(screen).to_contain_text(re.compile(r"\b\d\d [567]\d\b"))
    page.keyboard.press("Control+c")
    page.keyboard.press("F6")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    (call,) = hub.invoke("calls.list", live=True)["calls"]
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert ended(hub, call)["state"] in ("cancelled", "done")


def test_the_end_of_a_shell_is_told(page: Page, hub: Hub) -> None:
    page.goto("/console/nodes")
    page.get_by_role("article", name="local", exact=True).get_by_role("button", name="Terminal").click()
    dialog = page.get_by_role("dialog", name="Terminal on local")
    dialog.get_by_role("button", name="Approve once").click()
    expect(dialog.get_by_role("status")).to_have_text("running")
    page.keyboard.type("exit 7\n")
    expect(dialog.get_by_role("status")).to_have_text("exit status 7")
    expect(dialog.get_by_role("button", name="Open again")).to_be_visible()


def shell_on_local(page: Page) -> Locator:
    """Open a terminal on the hub's own machine, and wait until its shell runs."""
    page.goto("/console/nodes")
    page.get_by_role("article", name="local", exact=True).get_by_role("button", name="Terminal", exact=True).click()
    dialog = page.get_by_role("dialog", name="Terminal on local")
    dialog.get_by_role("button", name="Approve once").click()
    expect(dialog.get_by_role("status")).to_have_text("running")
    return dialog


def live_terminals(hub: Hub) -> list[Any]:
    return [call for call in hub.invoke("calls.list", live=True)["calls"] if call.get("has_terminal")]


def test_a_terminal_outlives_a_reload(page: Page, hub: Hub) -> None:
    dialog = shell_on_local(page)
    screen = dialog.locator(".xterm-accessibility")
    # A program that asks the terminal something gets its answer once: drawn again, the question is old.
    page.keyboard.type("kept=$((6*7)); printf '\\033[c\\033]11;?\\007'; echo be\\fore\n")
    expect(screen).to_contain_text("before")
    page.keyboard.press("Control+c")
    (call,) = live_terminals(hub)
    page.set_viewport_size({"width": 600, "height": 500})
    page.reload()
    expect(dialog.get_by_role("status")).to_have_text("running")
    # What is typed before all of it is drawn again is not lost.
    page.keyboard.type("echo and a\\fter $kept\n")
    expect(screen).to_contain_text("and after 42")
    page.keyboard.type("while sleep 0.1; do stty size; done\n")
    expect(screen).to_contain_text(re.compile(r"\b\d\d [567]\d\b"))
    assert [each["id"] for each in live_terminals(hub)] == [call["id"]]
    page.keyboard.press("Control+c")
    page.keyboard.type("exit 5\n")
    expect(dialog.get_by_role("status")).to_have_text("exit status 5")
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(dialog).to_have_count(0)


def test_a_terminal_is_left_and_gone_on_with(page: Page, hub: Hub) -> None:
    dialog = shell_on_local(page)
    screen = dialog.locator(".xterm-accessibility")
    page.keyboard.type("mine=of-mine; cd /; clear\n")
    dialog.get_by_role("button", name="Leave running").click()
    expect(dialog).to_have_count(0)
    left = page.get_by_role("list", name="Your terminals on local")
    expect(left.get_by_role("listitem")).to_have_count(1)
    # Another window, and this one again: each goes on where the other has written.
    other = page.context.new_page()
    other.goto("/console/nodes")
    other.get_by_role("button", name=re.compile("^Go on with the terminal")).click()
    expect(other.get_by_role("dialog").get_by_role("status")).to_have_text("running")
    other.keyboard.type("echo shell $mine\n")
    expect(other.locator(".xterm-accessibility")).to_contain_text("shell of-mine")
    left.get_by_role("button", name=re.compile("^Go on with the terminal")).focus()
    page.bring_to_front()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("running")
    expect(screen).to_contain_text("shell of-mine")
    page.keyboard.type("echo still $mine\n")
    expect(screen).to_contain_text("still of-mine")
    other.bring_to_front()
    other.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(other.locator(".xterm-accessibility")).to_contain_text("still of-mine")
    with other.expect_response(re.compile(r"/input$")):
        other.evaluate("window.dispatchEvent(new Event('focus'))")
    other.keyboard.type("echo once more $mine\n")
    expect(screen).to_contain_text("once more of-mine")
    other.close()
    # By keyboard alone, at phone width; the focus stays where the list was.
    page.bring_to_front()
    page.set_viewport_size({"width": 360, "height": 740})
    page.keyboard.press("F6")
    page.keyboard.press("Shift+Tab")
    leave = dialog.get_by_role("button", name="Leave running")
    expect(leave).to_be_focused()
    expect(leave).to_be_in_viewport(ratio=1)
    expect(leave).to_have_accessible_description(re.compile("ends when nobody comes back"))
    page.keyboard.press("Enter")
    expect(left.get_by_role("button", name=re.compile("^Go on"))).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.keyboard.press("Tab")
    expect(left.get_by_role("button", name=re.compile("^End"))).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(left).to_have_count(0)
    assert page.evaluate("document.activeElement !== document.body")
    assert live_terminals(hub) == []


def test_a_terminal_that_was_closed_for_good_ends(browser: Browser, tmp_path: Path) -> None:
    hub = Hub(tmp_path, "calls.unwatched_s=2")
    try:
        context, page, _ = opened(browser, hub)
        page.goto(hub.announcement["console_url"])
        page.get_by_text("Live", exact=True).wait_for()
        shell_on_local(page)
        (call,) = live_terminals(hub)
        context.close()
        done = ended(hub, call)
        assert done["state"] == "expired"
        assert "nobody watched it" in done["error"]["message"]
    finally:
        hub.stop()
