"""`instar tail`."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from instar.cli.command import command
from instar.cli.messages import event_line
from instar.cli.outputs import Stream
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place, open_dm
from instar.client.errors import HubError
from instar.client.stream import follow

GAP = "stream.replay_gap"


@command("instar tail general --since 0 --limit 1", "instar tail --since 0 --limit 3 --json")
@click.argument("target", type=TARGET, required=False)
@click.option("--since", default="", metavar="CURSOR", help="Begin after this event id or seq; 0 is the beginning.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many events.")
def tail(session: Session, target: Place | None, *, since: str, limit: int | None) -> Stream:
    """Follow what happens, live.

    It goes on where it was when the hub restarts: nothing is missed, nothing comes twice. Without TARGET it shows
    everything that the caller may read. With --json each line is one event.
    """
    key = _key(session, target)
    events = follow(session.client, cursor=since, on_break=lambda error: _say(session, error))
    return Stream(islice(_of(key, events), limit), event_line)


def _key(session: Session, target: Place | None) -> str:
    """Return the room key to show, after the hub has said that it can be read."""
    if target is None:
        return ""
    if target.kind == "agent":
        return "dm:" + str(open_dm(session, target.id)["id"])
    if target.kind == "room":
        session.invoke("rooms.get", room_id=session.seek("room", target.id))
    return target.key


def _of(key: str, events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (event for event in events if not key or event.get("room_key") == key or event["type"] == GAP)


def _say(session: Session, error: HubError) -> None:
    session.output.note(f"The stream broke: {error.message}. Going on where it was.")


COMMAND = tail
