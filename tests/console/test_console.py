"""The console as people use it: a real browser against a real hub."""

import gzip
import re
import shutil
import signal
from importlib.resources import files
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from instar.client.errors import HubError

from .conftest import WAIT_MS, Hub, opened

expect.set_options(timeout=WAIT_MS)
JS_MAX_BYTES = 150_000


def composer(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


def messages(page: Page) -> Locator:
    return page.get_by_role("region", name="Messages")


def write(page: Page, text: str) -> None:
    composer(page).fill(text)
    composer(page).press("Enter")


def sidebar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Rooms and agents")


def enter(page: Page, hub: Hub, room: str, *members: str) -> None:
    """Open a fresh room."""
    hub.room(room, *members)
    page.goto(f"/console/room/{room}")
    expect(composer(page)).to_be_enabled()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_first_visit_loads_little() -> None:
    """Every script that the first page loads counts; what a click brings later (the terminal) does not."""
    built = Path(str(files("instar.server").joinpath("console_files")))
    assert built.is_dir(), "build the console first: make console"
    named = re.findall(r'(?:src|href)="/console/([^"]+\.js)"', (built / "index.html").read_text())
    loaded: dict[str, bytes] = {}
    while named:
        path = named.pop()
        if path not in loaded:
            loaded[path] = (built / path).read_bytes()
            imported = re.findall(r'\b(?:from|import)\s*"\./([^"]+\.js)"', loaded[path].decode())
            named += [f"assets/{name}" for name in imported]
    assert any(path.startswith("assets/") for path in loaded)
    assert sum(len(gzip.compress(script)) for script in loaded.values()) <= JS_MAX_BYTES
    later = {path.name for path in (built / "assets").glob("*.js")} - {Path(path).name for path in loaded}
    assert {name.partition("-")[0] for name in later} == {"terminal"}


# Signing in


def test_a_link_signs_in_once(browser: Browser, own_hub: Hub) -> None:
    link = own_hub.announcement["console_url"]
    context, page, watch = opened(browser, own_hub)
    page.goto(link)
    expect(page.get_by_role("heading", name="General")).to_be_visible()
    expect(page.get_by_text("Nothing has been said here yet")).to_be_visible()
    assert "code" not in page.url
    assert page.url.endswith("/console/room/general")
    assert watch.faults == []
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    context.close()
    context, page, _ = opened(browser, own_hub)
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("was used or has expired")
    expect(page.get_by_role("textbox", name="Code")).to_be_focused()
    context.close()


def test_a_setup_code_signs_in_and_signing_out_ends_it(browser: Browser, own_hub: Hub) -> None:
    context, page, _ = opened(browser, own_hub)
    page.goto("/console/")
    code = page.get_by_role("textbox", name="Code")
    code.fill("WRONG-WRONG")
    code.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    code.fill(own_hub.announcement["setup_code"].lower())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to this hub")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in to this hub")).to_be_visible()
    context.close()


# Talking


def test_guide_answers(page: Page, hub: Hub) -> None:
    enter(page, hub, "talk", "guide")
    write(page, "hello")
    expect(messages(page)).to_contain_text("the built-in agent of this hub")
    write(page, "how do I add an agent?")
    expect(messages(page).locator("pre")).to_contain_text("instar agents register my-agent\ninstar agents token")
    expect(messages(page)).to_contain_text("attaches over WebSocket")
    page.reload()
    expect(messages(page)).to_contain_text("attaches over WebSocket")


def test_an_answer_streams_and_stops(page: Page, hub: Hub) -> None:
    enter(page, hub, "stream", "guide")
    guide = sidebar(page).get_by_role("button", name="Guide")
    expect(guide).to_contain_text("idle")
    write(page, "/slow 60")
    expect(messages(page)).to_contain_text("writing…")
    expect(messages(page)).to_contain_text("This answer streams")
    expect(guide).to_contain_text("busy")
    # A screen reader hears whole messages only.
    expect(page.get_by_role("log")).to_be_empty()
    page.reload()
    expect(messages(page)).to_contain_text("This answer streams slowly,")
    page.get_by_role("button", name="Stop").click()
    expect(messages(page)).to_contain_text("Stopped: asked for in the console")
    expect(composer(page)).to_be_focused()
    expect(messages(page)).to_contain_text("This answer streams")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(guide).to_contain_text("idle")
    write(page, "hello")
    expect(page.get_by_role("log")).to_contain_text("Guide: Hello!")


def test_a_failure_is_shown_in_its_place(page: Page, hub: Hub) -> None:
    enter(page, hub, "fail", "guide")
    write(page, "/fail")
    failed = messages(page).get_by_role("article").filter(has_text="Failed:")
    expect(failed).to_contain_text("You asked me to fail, so I stop in the middle of")
    expect(failed).to_contain_text("guide was told to fail with /fail")
    write(page, "hello")
    expect(messages(page)).to_contain_text("the built-in agent of this hub")
    page.reload()
    said = messages(page).get_by_role("article")
    expect(said.nth(1)).to_contain_text("Failed:")
    expect(said.last).to_contain_text("the built-in agent")


def test_mentions_complete_by_keyboard(page: Page, hub: Hub) -> None:
    hub.invoke("agents.register", requested_agent_id="gustav")
    enter(page, hub, "mentions", "guide", "gustav")
    composer(page).press_sequentially("hey @gu")
    options = page.get_by_role("option")
    expect(options).to_have_text([re.compile("@guide"), re.compile("@gustav")])
    composer(page).press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    composer(page).press("Escape")
    expect(options).to_have_count(0)
    composer(page).press_sequentially("i")
    composer(page).press("Tab")
    expect(composer(page)).to_have_value("hey @guide ")
    expect(composer(page)).to_be_focused()
    composer(page).press_sequentially("you")
    composer(page).press("Shift+Enter")
    composer(page).press_sequentially("there")
    composer(page).press("Enter")
    expect(messages(page).get_by_role("article").first).to_contain_text("hey @guide you\nthere")
    expect(messages(page).locator("span", has_text=re.compile("^@guide$"))).to_be_visible()


def test_what_is_sent_is_only_ever_text(page: Page, hub: Hub) -> None:
    enter(page, hub, "hostile")
    said = "<img src=x onerror=alert(1)> javascript:alert(1) [x](javascript:alert(2)) see https://example.test/a(b)."
    write(page, said)
    expect(messages(page)).to_contain_text(said)
    hub.say("hostile", "x" * 2_000, "**strong** `co<b>de` \u202eright")
    hub.invoke(
        "messages.send",
        target={"kind": "room", "room_id": "hostile"},
        parts=[{"kind": "url", "url": "molt://local/rooms/general"}, {"kind": "url", "url": "https://example.test/ok"}],
    )
    links = messages(page).get_by_role("link")
    expect(links).to_have_count(2)
    assert links.evaluate_all("all => all.map(each => each.href)") == [
        "https://example.test/a(b)",
        "https://example.test/ok",
    ]
    assert messages(page).locator("img").count() == 0
    assert messages(page).evaluate("box => box.scrollWidth <= box.clientWidth")


def test_edits_redactions_and_reactions_show(page: Page, hub: Hub) -> None:
    enter(page, hub, "changing")
    first, second = hub.say("changing", "draft", "secret")
    expect(messages(page)).to_contain_text("secret")
    hub.invoke("messages.edit", message_id=first["message_id"], parts=[{"kind": "text", "text": "final"}])
    hub.invoke("messages.redact", message_id=second["message_id"], reason="a slip")
    hub.invoke("messages.react", message_id=first["message_id"], reaction="👍")
    for _ in range(2):
        expect(messages(page)).to_contain_text("final")
        expect(messages(page)).to_contain_text("edited")
        expect(messages(page)).to_contain_text("Redacted by operator: a slip")
        expect(messages(page)).to_contain_text("👍 1")
        expect(messages(page)).not_to_contain_text("draft")
        expect(messages(page)).not_to_contain_text("secret")
        page.reload()


def test_all_agents_stop_and_run_again(own_page: Page, own_hub: Hub) -> None:
    page = own_page
    write(page, "/slow 60")
    expect(messages(page)).to_contain_text("This answer streams")
    page.keyboard.press("Control+k")
    page.keyboard.type("stop all")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All agents are stopped.")).to_be_visible()
    expect(messages(page)).to_contain_text("Stopped")
    page.reload()
    page.get_by_role("button", name="Let them run").click()
    expect(page.get_by_text("All agents are stopped.")).to_have_count(0)
    own_hub.invoke("agents.stop_all")
    expect(page.get_by_text("All agents are stopped.")).to_be_visible()
    own_hub.invoke("agents.resume_all")
    expect(page.get_by_text("All agents are stopped.")).to_have_count(0)
    write(page, "hello")
    expect(messages(page)).to_contain_text("the built-in agent of this hub")


# Finding one's way


def test_rooms_deep_links_and_direct_conversations(page: Page, hub: Hub) -> None:
    enter(page, hub, "v1.2", "guide")
    page.reload()
    expect(page.get_by_role("heading", name="v1.2")).to_be_visible()
    sidebar(page).get_by_role("button", name="Guide idle").click()
    expect(page).to_have_url(re.compile("/console/dm/"))
    expect(page.get_by_role("heading", name="Guide")).to_be_visible()
    write(page, "in private")
    expect(messages(page)).to_contain_text("You said: in private")
    page.go_back()
    expect(page.get_by_role("heading", name="v1.2")).to_be_visible()
    page.goto("/console/room/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("nowhere")
    sidebar(page).get_by_role("button", name="General").click()
    expect(page).to_have_url(re.compile("/console/room/general$"))


def test_unread_messages_are_counted_until_they_are_seen(page: Page, hub: Hub) -> None:
    hub.room("busy-place", "guide")
    enter(page, hub, "quiet-place")
    hub.say("busy-place", "hello", **{"from": {"type": "human", "id": "visitor", "name": "Visitor"}})
    entry = sidebar(page).get_by_role("button", name="busy-place")
    expect(entry).to_contain_text(re.compile(r"[12] unread"))
    expect(page).to_have_title(re.compile(r"^\(\d+\) "))
    entry.click()
    expect(entry).not_to_contain_text("unread")
    page.reload()
    expect(entry).to_be_visible()
    expect(entry).not_to_contain_text("unread")


def test_the_palette_goes_everywhere_by_keyboard(page: Page, hub: Hub) -> None:
    enter(page, hub, "palette")
    page.keyboard.press("Control+k")
    search = page.get_by_role("combobox", name="Room, agent or action")
    expect(search).to_be_focused()
    page.keyboard.press("Escape")
    expect(search).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(search).to_be_focused()
    page.keyboard.type("gener")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console/room/general$"))


def test_tab_reaches_everything_in_order(page: Page, hub: Hub) -> None:
    enter(page, hub, "tabs")
    page.get_by_role("link", name="Skip to the message box").focus()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("(document.activeElement.ariaLabel || document.activeElement.textContent).trim()"))
        if page.evaluate("document.activeElement.id") == "composer":
            break
    else:
        pytest.fail(f"the message box is out of reach: {reached}")
    order = [next(at for at, name in enumerate(reached) if part in name) for part in ("Go to", "Theme", "Sign out")]
    assert order == sorted(order)
    assert any("# tabs" in name for name in reached)
    assert any("Guide" in name for name in reached)


def test_long_history_scrolls_back_without_jumping(page: Page, hub: Hub) -> None:
    hub.room("long")
    target = {"kind": "room", "room_id": "long"}
    for start in range(0, 300, 50):
        batch = [
            {"target": target, "parts": [{"kind": "text", "text": f"number {n}\n" + "line\n" * (n % 5)}]}
            for n in range(start, start + 50)
        ]
        hub.invoke("messages.send_batch", messages=batch)
    page.goto("/console/room/long")
    box = messages(page)
    expect(box.get_by_text("number 299")).to_be_in_viewport()
    assert box.locator("li").count() < 60
    box.hover()
    first = box.get_by_text(re.compile(r"^number 0\b"))
    for _ in range(200):
        page.mouse.wheel(0, -900)
        if first.count():
            break
        page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(first).to_be_visible()
    page.get_by_role("button", name="Latest").click()
    expect(box.get_by_text("number 299")).to_be_in_viewport()
    hub.say("long", "one more")
    expect(box.get_by_text("one more")).to_be_in_viewport()


def test_older_messages_come_in_above_what_is_read(page: Page, hub: Hub) -> None:
    hub.room("anchor")
    target = {"kind": "room", "room_id": "anchor"}
    batch = [{"target": target, "parts": [{"kind": "text", "text": f"number {n}"}]} for n in range(100)]
    hub.invoke("messages.send_batch", messages=batch[:50])
    hub.invoke("messages.send_batch", messages=batch[50:])
    page.goto("/console/room/anchor")
    box = messages(page)
    expect(box.get_by_text("number 99")).to_be_in_viewport()
    expect(box.locator("ol > li").first).to_have_attribute("aria-setsize", "-1")
    box.evaluate("box => box.scrollTo(0, 0)")
    expect(box.locator("ol > li").first).to_have_attribute("aria-setsize", "100")
    # The row that was on top is still on screen, and the fifty before it are above.
    expect(box.get_by_text("number 50")).to_be_in_viewport()
    assert box.evaluate("box => box.scrollTop") > 500


# Looks


def test_a_chosen_theme_holds_from_the_first_paint(page: Page, hub: Hub) -> None:
    page.add_init_script(
        "new MutationObserver((_, observer) => { if (document.body) { window.themeAtBody ="
        " document.documentElement.dataset.theme; observer.disconnect(); } })"
        ".observe(document, { childList: true, subtree: true })"
    )
    page.emulate_media(color_scheme="light")
    page.goto("/console/")
    ground = "getComputedStyle(document.body).backgroundColor"
    button = page.get_by_role("button", name="Theme")
    button.click()
    button.click()
    expect(button).to_have_accessible_name(re.compile("Theme: dark"))
    dark = page.evaluate(ground)
    page.reload()
    expect(button).to_have_accessible_name(re.compile("Theme: dark"))
    assert page.evaluate("window.themeAtBody") == "dark"
    assert page.evaluate(ground) == dark
    button.click()
    assert page.evaluate(ground) != dark
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == dark


def test_a_phone_has_room_for_everything(page: Page, hub: Hub) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    enter(page, hub, "phone", "guide")
    hub.say("phone", "https://example.test/" + "long" * 60)
    expect(messages(page)).to_contain_text("longlong")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(sidebar(page)).to_be_hidden()
    menu = page.get_by_role("button", name="Rooms and agents")
    menu.click()
    expect(sidebar(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(sidebar(page)).to_be_hidden()
    menu.click()
    sidebar(page).get_by_role("button", name="General").click()
    expect(sidebar(page)).to_be_hidden()
    expect(page.get_by_role("heading", name="General")).to_be_visible()


# Losing the hub


def test_nothing_is_lost_or_doubled_when_the_hub_dies(own_page: Page, own_hub: Hub) -> None:
    page = own_page
    write(page, "before")
    expect(messages(page)).to_contain_text("You said: before")
    own_hub.stop(signal.SIGKILL)
    expect(page.get_by_test_id("offline")).to_be_visible(timeout=2_000)
    for text in ("/slow 0", "second", "third"):
        write(page, text)
    expect(messages(page).get_by_text("waits for the hub")).to_have_count(3)
    own_hub.start()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_test_id("offline")).to_have_count(0)
    expect(messages(page)).to_contain_text("You said: third")
    expect(messages(page)).not_to_contain_text("waits for the hub")
    said = own_hub.invoke("rooms.messages", room_id="general", limit="100")["messages"]
    mine = [each["parts"][0]["text"] for each in said if each["from"]["id"] == "operator"]
    assert mine == ["before", "/slow 0", "second", "third"]
    for text in ("before", "second", "third"):
        expect(messages(page).get_by_text(text, exact=True)).to_have_count(1)


def test_what_was_written_offline_survives_a_reload(own_page: Page, own_hub: Hub) -> None:
    page = own_page
    page.route("**/v1/messages", lambda route: route.abort())
    own_hub.stop(signal.SIGKILL)
    expect(page.get_by_test_id("offline")).to_be_visible()
    write(page, "kept in the tab")
    expect(messages(page)).to_contain_text("waits for the hub")
    own_hub.start()
    page.reload()
    expect(messages(page)).to_contain_text("You said: kept in the tab")
    expect(messages(page).get_by_text("kept in the tab", exact=True)).to_have_count(1)


def test_a_gap_reads_everything_anew(own_page: Page, own_hub: Hub, tmp_path: Path) -> None:
    page = own_page
    own_hub.stop()
    shutil.copytree(own_hub.data, tmp_path / "earlier")
    own_hub.start()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    write(page, "forgotten")
    expect(messages(page)).to_contain_text("You said: forgotten")
    own_hub.stop()
    shutil.rmtree(own_hub.data)
    shutil.copytree(tmp_path / "earlier", own_hub.data)
    own_hub.start()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing has been said here yet")).to_be_visible()
    write(page, "again")
    expect(messages(page)).to_contain_text("You said: again")


def test_a_stopped_loop_is_told(own_page: Page, own_hub: Hub) -> None:
    for agent in ("ping", "pong"):
        own_hub.invoke("agents.register", requested_agent_id=agent)
    own_hub.room("ring", "ping", "pong")
    own_page.goto("/console/room/ring")
    expect(own_page.get_by_text("Nothing has been said here yet")).to_be_visible()
    cause = own_hub.say("ring", "go")[0]["event_id"]
    turns = cycle(("ping", "pong"))

    def answer(cause: str) -> str:
        speaker = {"from": {"type": "agent", "id": next(turns)}}
        return own_hub.say("ring", "and on it goes", cause=cause, **speaker)[0]["event_id"]

    cause = answer(answer(cause))
    with pytest.raises(HubError, match="too often"):
        answer(cause)
    expect(messages(own_page)).to_contain_text("Loop stopped.")
