"""Where a credential may stand."""

import pytest

from instar.base.errors import InstarError
from instar.doors import credentials

from .network.requests import request


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, ""),
        ({"authorization": "Bearer t1"}, "t1"),
        ({"authorization": "bearer  t1 "}, "t1"),
        ({"cookie": "instar_session=s1"}, "s1"),
        ({"cookie": "moltnet_auth=m1"}, "m1"),
        ({"cookie": "a=b; moltnet_auth=m1; instar_session=s1"}, "s1"),
        ({"cookie": "a=b"}, ""),
        ({"cookie": "instar_session"}, ""),
        ({"cookie": 'a/b=1; instar_session="s1"; ]=x'}, "s1"),
        ({"cookie": "instar_session=; moltnet_auth=m1"}, "m1"),
        ({"authorization": "Bearer t1", "cookie": "instar_session=s1"}, "t1"),
    ],
)
def test_token_of(headers: dict[str, str], token: str) -> None:
    assert credentials.token_of(request("GET", "/v1/rooms", headers=headers)) == token


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", ""])
def test_other_schemes_are_refused(header: str) -> None:
    with pytest.raises(InstarError) as refused:
        credentials.token_of(request("GET", "/v1/rooms", headers={"authorization": header}))
    assert refused.value.code == "unauthorized"


def test_a_token_in_the_url_is_refused_with_the_way_to_go() -> None:
    with pytest.raises(InstarError) as refused:
        credentials.token_of(request("GET", "/v1/rooms", query={"access_token": "t"}))
    assert refused.value.code == "bad_request"
    assert "Authorization" in refused.value.hint


def test_the_session_cookie_is_bound_to_the_browser() -> None:
    name, value = credentials.session_cookie("s1", request("POST", "/v1/auth/exchange"))
    assert name == "set-cookie"
    assert value.startswith("instar_session=s1; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict")
    assert "Secure" not in value
    _, secure = credentials.session_cookie("s1", request("POST", "/v1/auth/exchange", scheme="https"))
    assert secure.endswith("; Secure")
    _, ended = credentials.no_session_cookie(request("POST", "/v1/auth/logout"))
    assert ended.startswith("instar_session=; Path=/; Max-Age=0;")


def test_has_origin() -> None:
    assert credentials.has_origin(request("GET", "/", headers={"origin": "http://127.0.0.1:8787"}))
    assert not credentials.has_origin(request("GET", "/"))
