"""Who is let in, as people decide it in the console: a real browser, a real hub, devices that really sign."""

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from instar.wire import signatures
from tests.doors.network.test_devices import Device

from .conftest import WAIT_MS, Hub, opened

expect.set_options(timeout=WAIT_MS)
PASSWORD = "correct horse battery"
OTHER = "another long password"


class Front:
    """The hub as a device reaches it: over HTTP, with no credential of its own."""

    def __init__(self, hub: Hub) -> None:
        self._address = hub.url.removeprefix("http://")

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        payload = answer.read()
        connection.close()
        return answer.status, json.loads(payload)


def device_of(hub: Hub) -> Device:
    return Device(Front(hub))  # type: ignore[arg-type]


def sidebar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Rooms and agents")


def add(hub: Hub, login: str, *scopes: str) -> Any:
    return hub.invoke("people.add", login=login, password=PASSWORD, scopes=scopes or ("observe", "write"))


def sign_in(page: Page, login: str, password: str) -> None:
    page.get_by_label("Name").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def stranger(browser: Browser, hub: Hub) -> Iterator[Page]:
    """A browser that nobody has signed in."""
    context, page, _ = opened(browser, hub)
    page.goto("/console/")
    yield page
    context.close()


# Signing in


def test_a_person_signs_in_with_a_name_and_a_password(stranger: Page, hub: Hub) -> None:
    person = add(hub, "grace")
    hub.invoke("rooms.members", room_id="general", add=[person["id"]])
    expect(stranger.get_by_role("textbox", name="Code")).to_be_focused()
    stranger.get_by_role("button", name="Use a name and a password").click()
    expect(stranger.get_by_label("Name")).to_be_focused()
    expect(stranger.get_by_role("button", name="Sign in")).to_be_disabled()
    sign_in(stranger, "grace", "not hers at all")
    expect(stranger.get_by_role("alert")).to_contain_text("The name or the password is wrong")
    expect(stranger.get_by_label("Name")).to_have_value("grace")
    expect(stranger.get_by_label("Password")).to_have_value("")
    sign_in(stranger, "Grace", PASSWORD)
    expect(stranger.get_by_text("Live", exact=True)).to_be_visible()
    stranger.get_by_role("textbox", name="Message").fill("hello from grace")
    stranger.get_by_role("textbox", name="Message").press("Enter")
    expect(stranger.get_by_role("region", name="Messages")).to_contain_text("hello from grace")
    sent = [each["from"] for each in hub.invoke("rooms.messages", room_id="general")["messages"]]
    assert [(each["type"], each["name"]) for each in sent if each["id"] == person["id"]] == [("human", "grace")]
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger.get_by_label("Password")).to_be_visible()  # the way that was taken last
    stranger.get_by_role("button", name="Use a link or a code").click()
    expect(stranger.get_by_role("textbox", name="Code")).to_be_visible()


def test_what_a_person_may_not_see_is_not_offered(stranger: Page, hub: Hub) -> None:
    add(hub, "plain")
    stranger.get_by_role("button", name="Use a name and a password").click()
    sign_in(stranger, "plain", PASSWORD)
    expect(sidebar(stranger).get_by_role("button", name="Your password")).to_be_visible()
    expect(sidebar(stranger).get_by_role("button", name="Devices")).to_have_count(0)
    expect(sidebar(stranger).get_by_role("button", name="People")).to_have_count(0)
    stranger.goto("/console/devices")
    expect(stranger.get_by_text("needs scope devices, which you do not have")).to_be_visible()
    expect(stranger.get_by_role("button", name="Open for 10 minutes")).to_have_count(0)


def test_a_person_changes_their_own_password(stranger: Page, hub: Hub) -> None:
    add(hub, "hedy")
    stranger.get_by_role("button", name="Use a name and a password").click()
    sign_in(stranger, "hedy", PASSWORD)
    sidebar(stranger).get_by_role("button", name="Your password").click()
    expect(stranger).to_have_url(re.compile("/console/people$"))
    save = stranger.get_by_role("button", name="Save")
    stranger.get_by_label("Current password").fill("wrong wrong wrong")
    stranger.get_by_label("New password").fill("short")
    expect(save).to_be_disabled()
    stranger.get_by_label("New password").fill(OTHER)
    save.click()
    expect(stranger.get_by_role("alert")).to_contain_text("The current password is wrong")
    stranger.get_by_label("Current password").fill(PASSWORD)
    save.click()
    expect(stranger.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    expect(stranger.get_by_text("Live", exact=True)).to_be_visible()
    stranger.get_by_role("button", name="Sign out").click()
    sign_in(stranger, "hedy", OTHER)
    expect(stranger.get_by_text("Live", exact=True)).to_be_visible()


# Devices


def test_a_device_is_let_in_with_the_rights_that_are_ticked(page: Page, hub: Hub) -> None:
    device = device_of(hub)
    page.goto("/console/room/general")
    devices = sidebar(page).get_by_role("button", name="Devices")
    devices.click()
    expect(page).to_have_url(re.compile("/console/devices$"))
    expect(page.get_by_text("Unknown devices cannot ask.")).to_be_visible()
    assert device.ask("observe")[1]["detail"]["cause"] == "pairing_closed"
    page.get_by_role("button", name="Open for 10 minutes").click()
    expect(page.get_by_text(re.compile(r"may ask for (10:00|9:\d\d)"))).to_be_visible()

    status, request = device.ask("observe", "write", "admin", facts={"name": "Laptop <b>", "platform": "linux"})
    assert (status, request["state"]) == (201, "pending")
    card = page.get_by_role("article", name="Laptop <b> asks to be let in")
    expect(card.get_by_test_id("fingerprint")).to_have_text(signatures.fingerprint(device.key))
    expect(card).to_contain_text("linux")
    expect(card).to_contain_text("127.0.0.1")
    expect(devices).to_contain_text("1 waiting")
    for scope in ("observe", "write", "admin"):
        expect(card.get_by_role("checkbox", name=re.compile(rf"^{scope} "))).to_be_checked()
    card.get_by_role("checkbox", name=re.compile("^admin ")).uncheck()
    card.get_by_role("button", name="Approve").click()
    expect(card).to_have_count(0)
    expect(devices).not_to_contain_text("waiting")
    row = page.get_by_role("listitem", name="Laptop <b>")
    expect(row).to_contain_text(signatures.fingerprint(device.key))
    status, session = device.sign_in()
    assert (status, session["scopes"]) == (200, ["observe", "write"])
    assert session["principal"]["id"] == f"dev_{device.id}"

    row.get_by_role("button", name="Rename").click()
    page.get_by_label("Name of Laptop <b>").fill("Work laptop")
    page.get_by_label("Name of Laptop <b>").press("Enter")
    renamed = page.get_by_role("listitem", name="Work laptop")
    expect(renamed).to_be_visible()
    renamed.get_by_role("button", name="Revoke").click()
    expect(renamed.get_by_text("End its rights now?")).to_be_visible()
    renamed.get_by_role("button", name="Keep").click()
    assert device.sign_in()[0] == 200
    renamed.get_by_role("button", name="Revoke").click()
    renamed.get_by_role("group").get_by_role("button", name="Revoke").click()
    expect(renamed).to_contain_text("revoked just now")
    assert device.sign_in()[1]["code"] == "device_revoked"
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("Unknown devices cannot ask.")).to_be_visible()


def test_a_device_is_turned_away_and_others_see_it_too(page: Page, browser: Browser, hub: Hub, session: Any) -> None:
    hub.invoke("pairing.open", for_s=300)
    device = device_of(hub)
    assert device.ask("write", facts={"name": "Unwanted"})[0] == 201
    page.goto("/console/devices")
    context, other, _ = opened(browser, hub, storage_state=session)
    other.goto("/console/devices")
    for each in (page, other):
        expect(each.get_by_role("article", name="Unwanted asks to be let in")).to_be_visible()
    page.get_by_role("button", name="Reject").click()
    for each in (page, other):
        expect(each.get_by_role("article", name="Unwanted asks to be let in")).to_have_count(0)
    assert device.sign_in()[0] == 403
    context.close()
    hub.invoke("pairing.close")
    expect(page.get_by_text("Unknown devices cannot ask.")).to_be_visible()


def test_what_changed_while_it_was_looked_at_is_not_approved(page: Page, hub: Hub) -> None:
    hub.invoke("pairing.open", for_s=300)
    device = device_of(hub)
    assert device.ask("observe", facts={"name": "Shifty"})[0] == 201
    page.goto("/console/devices")
    expect(page.get_by_role("article", name="Shifty asks to be let in")).to_be_visible()
    # The page is kept from hearing of it: what stands on it is what was asked before.
    page.evaluate("setTimeout = () => 0")
    assert device.ask("observe", "admin", "keys", facts={"name": "Shifty"})[0] == 201
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert device.sign_in()[0] == 403
    hub.invoke("pairing.close")


# People


def test_people_are_added_disabled_and_given_other_passwords(page: Page, browser: Browser, hub: Hub) -> None:
    page.goto("/console/people")
    page.get_by_label("Login").fill("Ada")
    page.get_by_role("textbox", name="Name", exact=True).fill("Ada Lovelace")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("checkbox", name=re.compile("^keys ")).check()
    page.get_by_role("checkbox", name=re.compile("^keys ")).uncheck()
    page.get_by_role("button", name="Add").click()
    row = page.get_by_role("listitem", name="ada", exact=True)
    expect(row).to_contain_text("Ada Lovelace")
    expect(row).to_contain_text("observe")
    expect(row).to_contain_text("last seen never")
    page.get_by_label("Login").fill("ADA")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a person with the login 'ada'")

    context, ada, _ = opened(browser, hub)
    ada.goto("/console/")
    ada.get_by_role("button", name="Use a name and a password").click()
    sign_in(ada, "ada", PASSWORD)
    expect(ada.get_by_text("Live", exact=True)).to_be_visible()
    row.get_by_role("button", name="Set password").click()
    row.get_by_label("New password").fill(OTHER)
    row.get_by_role("button", name="Save").click()
    expect(ada.get_by_role("heading", name="Sign in to this hub")).to_be_visible()
    sign_in(ada, "ada", OTHER)
    expect(ada.get_by_text("Live", exact=True)).to_be_visible()

    row.get_by_role("button", name="Disable").click()
    row.get_by_role("group").get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled just now")
    expect(ada.get_by_role("heading", name="Sign in to this hub")).to_be_visible()
    sign_in(ada, "ada", OTHER)
    expect(ada.get_by_role("alert")).to_contain_text("wrong")
    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("last seen")
    sign_in(ada, "ada", OTHER)
    expect(ada.get_by_text("Live", exact=True)).to_be_visible()
    context.close()
