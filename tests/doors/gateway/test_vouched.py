"""People whom a proxy has signed in, on the gateway's door: their own rights, as far as a connection asks."""

from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.hub.identity.test_tailnet import ANSWER, program

from .serving import SECRET, Serving, hello, serving

PROXIED = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_User": "ada@example.com"}
SERVED = {
    "Tailscale_User_Login": "ada@example.com",
    "X_Forwarded_For": "100.64.0.7",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "localhost",
}


async def add(hub: Serving, *scopes: str) -> None:
    person = {"login": "ada@example.com", "password": "correct horse battery", "scopes": scopes}
    await hub.ask("POST", "/v1/people", person)


def head(headers: dict[str, str]) -> str:
    lines = "".join(f"\n{name.replace('_', '-')}: {value}" for name, value in headers.items())
    return f"POST /api/rpc HTTP/1.1{lines}"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, dict[str, Any]]:
    proxy = {"auth__proxy_header": "X-Forwarded-User", "server__trusted_proxies": "127.0.0.1"}
    return {"proxy": proxy, "tailscale": {"auth__tailscale": program(tmp_path, f"echo '{ANSWER}'")}}


@pytest.mark.parametrize(("way", "headers"), [("proxy", PROXIED), ("tailscale", SERVED)])
async def test_a_person_connects_without_secret_or_device(
    way: str, headers: dict[str, str], settings: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    async with serving(tmp_path / "data", auth__token=SECRET, **settings[way]) as hub:
        await add(hub, "observe")
        async with hub.socket(**headers) as peer:
            ready = await peer.hello(hello(scopes=["operator.read", "operator.admin"]))
            assert ready["auth"]["scopes"] == ["operator.read"]
            assert (await peer.call("health"))["ok"]
        async with hub.socket(**headers) as peer:
            assert not (await peer.connect(hello(auth={"token": "wrong"})))["ok"]
        status, _, body = await hub.http(head(headers), b'{"method":"health","params":{}}')
        assert (status, b'"ok":true' in body) == (200, True)


async def test_a_client_that_a_proxy_does_not_name_needs_its_own(
    settings: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    async with serving(tmp_path / "data", auth__token=SECRET, **settings["proxy"]) as hub:
        await add(hub, "observe")
        async with hub.socket(X_Forwarded_For="203.0.113.7") as peer:
            assert not (await peer.connect(hello()))["ok"]
        async with hub.socket(X_Forwarded_For="203.0.113.7") as peer:  # the secret alone is for this machine
            assert not (await peer.connect(hello(auth={"token": SECRET})))["ok"]
        for spoofed in ("127.0.0.1", "::1"):
            with pytest.raises(websockets.InvalidStatus) as refusal:
                async with hub.socket(**PROXIED | {"X_Forwarded_For": spoofed}):
                    pass
            assert refusal.value.response.status_code == 403
            assert (await hub.http(head(PROXIED | {"X_Forwarded_For": spoofed}), b"{}"))[0] == 403
