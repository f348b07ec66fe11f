"""Nobody becomes somebody else: not a person, not an operator, not a node, not a wider device."""

from typing import Any

from tests.doors.gateway.serving import SECRET, Key, Serving, hello

from .test_revocation import code, exchanged

PASSWORD = "correct horse battery"
SHARED = {"token": SECRET}
PAIRING = ["operator.pairing"]
ADMIN = ["operator.admin"]
NODE: dict[str, Any] = {"role": "node", "scopes": [], "client": {"id": "node-host", "mode": "node"}}


async def refused(hub: Serving, method: str, path: str, body: object, token: str) -> str:
    """Return the code that a request is refused with."""
    try:
        await hub.ask(method, path, body, token)
    except AssertionError as error:
        return error.args[0]["code"]
    return ""


async def paired(hub: Serving, key: Key, scopes: list[str]) -> None:
    await hub.ask("POST", "/v1/pairing/open", {})
    assert await asked(hub, key, scopes=scopes)
    [request] = await hub.requests()
    await hub.approve(request["id"])


async def asked(hub: Serving, key: Key, **introduction: Any) -> str:
    """Let a device ask; return the id of its request."""
    async with hub.socket() as peer:
        answer = await peer.connect(hello(auth=SHARED, **introduction), key)
    return answer["error"]["details"]["requestId"]


class TestTokens:
    async def test_nobody_is_given_a_persons_token(self, hub: Serving) -> None:
        """It would outlive every change of the person's password."""
        await hub.ask("POST", "/v1/people", {"login": "ann", "password": PASSWORD, "scopes": ["write"]})
        clerk = await hub.key("keys", "write")
        keys = (await hub.ask("GET", "/v1/keys", token=clerk))["keys"]
        [person] = [each["id"] for each in keys if each["principal"].startswith("usr_")]
        assert await refused(hub, "POST", f"/v1/keys/{person}/rotate", None, clerk) == "conflict"

    async def test_nobody_is_given_a_browsers_session(self, hub: Serving) -> None:
        """It would make an operator of whoever may make keys."""
        await exchanged(hub, await code(hub, hub.operator))
        full = await hub.key(*(await hub.ask("GET", "/v1/me"))["scopes"])
        keys = (await hub.ask("GET", "/v1/keys", token=full))["keys"]
        [session] = [each["id"] for each in keys if each["prefix"].startswith("is_")]
        assert await refused(hub, "POST", f"/v1/keys/{session}/rotate", None, full) == "conflict"


class TestNodes:
    async def test_a_key_that_is_no_nodes_makes_none(self, hub: Serving) -> None:
        """A reader that calls itself a node was listed as one that an operator had approved."""
        reader = await hub.key("observe", "write")
        async with hub.socket() as peer:
            answer = await peer.connect(hello(auth={"token": reader}, **NODE), Key())
        assert not answer["ok"]
        async with hub.socket() as peer:
            await peer.hello(hello(auth={"token": reader}))
            assert (await peer.call("node.list", {}))["payload"]["nodes"] == []


class TestDevices:
    async def test_who_pairs_takes_no_right_from_a_wider_device(self, hub: Serving) -> None:
        """To approve less than a device has is to take the rest away, which is not for who could not have given it."""
        admin, porter = Key(), Key()
        await paired(hub, admin, ADMIN)
        await paired(hub, porter, PAIRING)
        request = await asked(hub, admin, scopes=ADMIN, client={"platform": "darwin"})
        async with hub.socket() as peer:
            await peer.hello(hello(auth=SHARED, scopes=PAIRING), porter)
            wanted = {"request_id": request, "scopes": ["devices"]}
            answer = await peer.call("instar.devices.approve", wanted)
        assert answer["error"]["code"] == "FORBIDDEN"
        async with hub.socket() as peer:
            assert "operator.admin" in (await peer.hello(hello(auth=SHARED, scopes=ADMIN), admin))["auth"]["scopes"]

    async def test_a_device_floods_no_log(self, hub: Serving) -> None:
        """Each other ask is written down for good, so one device may not change its mind on and on."""
        await hub.ask("POST", "/v1/pairing/open", {})
        key, told = Key(), ""
        await asked(hub, key)
        for number in range(20):
            async with hub.socket() as peer:
                answer = await peer.connect(hello(auth=SHARED, client={"displayName": f"n{number}"}), key)
            told = answer["error"]["details"]["code"]
        assert told == "AUTH_RATE_LIMITED"
        assert len(await hub.requests()) == 1


class TestPace:
    async def test_another_key_beside_it_is_no_other_writer(self, hub: Serving) -> None:
        writer = await hub.key("observe", "admin", "operate")
        told: list[str] = []
        for _ in range(3):
            async with hub.socket() as peer:
                await peer.hello(hello(auth={"token": writer}, scopes=ADMIN), Key())
                for _ in range(11):
                    answer = await peer.call("config.patch", {"raw": "{}", "baseHash": "x"})
                    told.append(answer["error"]["message"])
        assert told[-1].startswith("rate limit exceeded for config.patch")
