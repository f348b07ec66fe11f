"""`instar search`."""

import click

from instar.cli.command import command
from instar.cli.messages import sender_of
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place
from instar.cli.texts import relative, visible
from instar.wire.limits import PAGE_MAX

_MARK = click.style("\0", bold=True).split("\0")


@command("instar search morning", 'instar search "good mor*" --in general --limit 5')
@click.argument("words", nargs=-1, required=True)
@click.option("--in", "place", type=TARGET, help="Only in this conversation.")
@click.option("--from", "sender", default="", help="Only from this sender.")
@click.option("--limit", type=click.IntRange(1, PAGE_MAX), default=20, show_default=True, help="Hits to show.")
@click.option("--before", type=int, default=0, metavar="SEQ", help="Only older than this seq.")
def search(
    session: Session, words: tuple[str, ...], *, place: Place | None, sender: str, limit: int, before: int
) -> Answer:
    """Search messages.

    Every word must occur; word* matches beginnings; quote words inside the shell's quotes for a phrase.
    """
    confined = {f"{place.kind}_id": place.id} if place else {}
    query: dict[str, object] = {"q": " ".join(words), "limit": limit, "from": sender, **confined}
    if before:
        query["before"] = before
    found = session.invoke("messages.search", **query)
    return Answer(found, [_line(hit) for hit in found["hits"]] or ["Nothing was found."], rows=found["hits"])


def _line(hit: dict[str, dict[str, str]]) -> str:
    message = hit["message"]
    excerpt = visible(str(hit["excerpt"]).replace("\x01", "\n").replace("\x02", "\t"))
    marked = excerpt.replace("\n", _MARK[0]).replace("\t", _MARK[1])
    return f"{message.get('seq', 0):>6}  {relative(message['created_at']):>10}  {sender_of(message)}: {marked}"


COMMAND = search
