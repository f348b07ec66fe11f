"""Whose word counts: a trusted proxy's and Tailscale's, of one login, in one header, confirmed."""

from pathlib import Path
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.vouching import Vouching
from instar.wire.http import Request

from .test_tailnet import ANSWER, asked, program

SERVED = {
    "tailscale-user-login": "ada@example.com",
    "x-forwarded-for": "100.64.0.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "hub.tail.ts.net",
}


def request(headers: dict[str, str], **more: Any) -> Request:
    facts = {"connected_from": "127.0.0.1", "is_forwarded": True, "is_proxied": False} | more
    return Request("GET", "/", {}, headers, None, None, "req_1", "127.0.0.1", False, "http", "localhost", **facts)  # type: ignore[arg-type]


async def refused(vouching: Vouching, asked_for: Request) -> InstarError:
    with pytest.raises(InstarError) as caught:
        await vouching.vouched_for(asked_for)
    return caught.value


async def test_a_trusted_proxy_names_a_person() -> None:
    vouching = Vouching(AuthPolicy(proxy_header="X-Forwarded-User"))
    named = {"x-forwarded-user": " ada@example.com "}
    assert await vouching.vouched_for(request(named, is_proxied=True, is_forwarded=False)) == "ada@example.com"
    assert await vouching.vouched_for(request({}, is_proxied=True, is_forwarded=False)) == ""


async def test_nobody_else_does() -> None:
    named = {"x-forwarded-user": "ada", **SERVED}
    for policy in (AuthPolicy(proxy_header="X-Forwarded-User"), AuthPolicy()):
        assert await Vouching(policy).vouched_for(request(named)) == ""
        assert await Vouching(policy).vouched_for(request(named, is_forwarded=False)) == ""
    assert await Vouching(AuthPolicy()).vouched_for(request(named, is_proxied=True)) == ""
    other = Vouching(AuthPolicy(proxy_header="Remote-User"))
    assert await other.vouched_for(request(named, is_proxied=True)) == ""


@pytest.mark.parametrize("value", ["", " ", "a b", "ada, eve", "ada,eve", "-ada", "a" * 129, "ada\t", "ädä", "\x00"])
async def test_a_proxy_that_names_no_login_is_refused(value: str) -> None:
    vouching = Vouching(AuthPolicy(proxy_header="Remote-User"))
    if value.strip() == "ada":
        assert await vouching.vouched_for(request({"remote-user": value}, is_proxied=True)) == "ada"
        return
    error = await refused(vouching, request({"remote-user": value}, is_proxied=True))
    assert (error.code, error.detail) == ("unauthorized", {"cause": "not_vouched_for"})


@pytest.fixture
def tailnet(tmp_path: Path) -> Vouching:
    return Vouching(AuthPolicy(tailscale=program(tmp_path, f"echo '{ANSWER}'")))


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_tailscale_serve_names_a_person_and_tailscale_confirms(
    peer: str, tailnet: Vouching, tmp_path: Path
) -> None:
    assert await tailnet.vouched_for(request(SERVED, connected_from=peer)) == "ada@example.com"
    shouted = SERVED | {"tailscale-user-login": "ADA@Example.com"}
    assert await tailnet.vouched_for(request(shouted, connected_from=peer)) == "ADA@Example.com"
    assert asked(tmp_path) == ["3", "whois", "--json", "100.64.0.7"]


@pytest.mark.parametrize(
    "lacking", ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "tailscale-user-login"]
)
async def test_without_all_that_serve_writes_nothing_is_believed(
    lacking: str, tailnet: Vouching, tmp_path: Path
) -> None:
    rest = {name: value for name, value in SERVED.items() if name != lacking}
    assert await tailnet.vouched_for(request(rest)) == ""
    assert asked(tmp_path) == []


@pytest.mark.parametrize("peer", ["192.0.2.1", "100.64.0.7", "", "localhost", "10.0.0.1"])
async def test_from_another_machine_it_is_nothing(peer: str, tailnet: Vouching, tmp_path: Path) -> None:
    assert await tailnet.vouched_for(request(SERVED, connected_from=peer)) == ""
    assert asked(tmp_path) == []


async def test_another_login_than_tailscale_knows_is_refused(tailnet: Vouching) -> None:
    error = await refused(tailnet, request(SERVED | {"tailscale-user-login": "eve@example.com"}))
    assert (error.code, error.detail) == ("unauthorized", {"cause": "not_vouched_for"})


@pytest.mark.parametrize("chain", ["", "1.2.3.4, 100.64.0.7", "--help", "-h", "$(id)", "100.64.0.7; id", "localhost"])
async def test_what_is_no_address_is_no_argument(chain: str, tailnet: Vouching, tmp_path: Path) -> None:
    error = await refused(tailnet, request(SERVED | {"x-forwarded-for": chain}))
    assert error.code == "unauthorized"
    assert asked(tmp_path) == []
