"""The native link against the real hub that the command line runs."""

from instar.client.access import find
from instar.client.link import Link

from .conftest import Cli, Hub


async def test_calls_and_events_on_one_link(hub: Hub, cli: Cli):
    url, token, _ = find(hub.environ)
    seq = cli("send", "general", "before the link", "--json").document["seq"]
    async with Link(url, token, cursor=str(seq), signals=True) as link:
        target = {"kind": "room", "room_id": "general"}
        message = {"target": target, "parts": [{"kind": "text", "text": "over the link"}]}
        sent = await link.call("messages.send", message, key="link-1")
        async for event in link.events():
            if event["seq"] == sent["seq"]:
                assert event["message"]["parts"][0]["text"] == "over the link"
                break
        assert int(link.cursor) >= sent["seq"]
        assert (await link.call("rooms.get", {"room_id": "general"}))["id"] == "general"
