"""A real hub, a real browser, and pages that are signed in."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from instar.client.access import find, trust_of
from instar.client.http import Client

BIN = Path(sys.executable).parent
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 15_000
_OFFLINE = re.compile(
    r"ERR_CONNECTION_REFUSED|WebSocket connection to .* failed|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET"
)


class Hub:
    """A hub in a process of its own, that tests may kill and start again on its address."""

    def __init__(self, home: Path, *settings: str, listen: str = "127.0.0.1:0") -> None:
        self.home = home
        self.data = home / "hub"
        self._settings = settings
        self._listen = listen
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTAR_", "XDG_"))}
        self._environ = {**kept, "HOME": str(home), "INSTAR_DATA_DIR": str(self.data), "PYTHONUNBUFFERED": "1"}
        self.start()

    def start(self) -> None:
        chosen = [each for setting in self._settings for each in ("--set", setting)]
        argv = [str(BIN / "instar"), "start", "--listen", self._listen, "--json", "--log-level", "warning", *chosen]
        with (self.home / "log").open("a") as log:
            self.process = subprocess.Popen(argv, env=self._environ, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, (self.home / "log").read_text()
        self.announcement: dict[str, str] = json.loads(said)
        self.url = self.announcement["url"]
        self._listen = f"{self._listen.rpartition(':')[0]}:{urlsplit(self.url).port}"
        url, token, _ = find(self._environ)
        self.client = Client(url, token, trust=trust_of(self._environ, url))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def invoke(self, operation: str, **params: Any) -> Any:
        return self.client.invoke(operation, params)

    def say(self, room: str, *texts: str, **rest: Any) -> list[Any]:
        return [
            self.invoke("messages.send", target={"kind": "room", "room_id": room}, parts=[_text(text)], **rest)
            for text in texts
        ]

    def room(self, room_id: str, *members: str) -> None:
        self.invoke("rooms.create", id=room_id, members=["operator", *members])


def _text(text: str) -> dict[str, str]:
    return {"kind": "text", "text": text}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's package chromium")
    # Module scope: the sync API keeps an event loop on this thread, which async tests of other modules must not meet.
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    started = Hub(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


@pytest.fixture
def own_hub(browser: Browser, tmp_path: Path) -> Iterator[Hub]:
    """A hub for tests that kill it or need other settings."""
    started = Hub(tmp_path, "loops.max_hops=2")
    yield started
    started.stop()


class Watch:
    """What a page must never do: fail, break its policy, ask another host."""

    def __init__(self, page: Page) -> None:
        self.faults: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).netloc))

    def _said(self, message: ConsoleMessage) -> None:
        # A browser logs each refused connection by itself; that is what being offline looks like.
        if message.type in {"error", "warning"} and not _OFFLINE.search(message.text):
            self.faults.append(message.text)


def opened(browser: Browser, hub: Hub, **context: Any) -> tuple[BrowserContext, Page, Watch]:
    """Open a page of the console that is not signed in."""
    made = browser.new_context(base_url=hub.url, **context)
    made.set_default_timeout(WAIT_MS)
    page = made.new_page()
    return made, page, Watch(page)


@pytest.fixture(scope="module")
def session(browser: Browser, hub: Hub) -> Any:
    """The cookie of one sign-in, for every page of the module."""
    context, page, _ = opened(browser, hub)
    page.goto(hub.announcement["console_url"])
    page.get_by_text("Live", exact=True).wait_for()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser: Browser, hub: Hub, session: Any) -> Iterator[Page]:
    """A signed-in page of the module's hub; afterwards it must have been quiet and have asked nobody else."""
    context, page, watch = opened(browser, hub, storage_state=session)
    yield page
    context.close()
    assert watch.faults == []
    assert watch.hosts <= {urlsplit(hub.url).netloc}


@pytest.fixture
def own_page(browser: Browser, own_hub: Hub) -> Iterator[Page]:
    """A signed-in page of `own_hub`."""
    context, page, watch = opened(browser, own_hub)
    page.goto(own_hub.announcement["console_url"])
    page.get_by_text("Live", exact=True).wait_for()
    # Live is the link; a hub that a test stops before the first room came leaves nothing to write into.
    page.get_by_role("textbox", name="Message").wait_for()
    yield page
    context.close()
    assert watch.faults == []
