"""`instar cp`: a file to a node, or from one."""

import asyncio
import sys
from pathlib import Path
from typing import NamedTuple

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import size
from instar.client.errors import HubError


class Place(NamedTuple):
    """A path on a node, or here (no node)."""

    node: str
    path: str


@command("instar cp notes.txt local: --yes", "instar cp local:notes.txt back.txt --yes --json", name="cp")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--resume", is_flag=True, help="Go on with one that was cut.")
@click.option("--yes", is_flag=True, help="Approve what you yourself may approve.")
def cp(session: Session, source: str, target: str, *, resume: bool, yes: bool) -> Answer:
    """Copy a file to a node or from one.

    One of SRC and DST is NODE:PATH, where PATH starts at the node's working directory and lies within the folders that
    it grants. The copy appears under its name once it is whole and its digest is right.
    """
    from_, to = parse(source), parse(target)
    if bool(from_.node) == bool(to.node):
        raise HubError("usage", "one of the two must be on a node", hint="Write NODE:PATH, as in build:logs/today.")
    if to.node:
        here = _file_here(from_.path)
        to = to._replace(path=_named(to.path, here.name))
    elif Path(to.path).is_dir():
        to = to._replace(path=str(Path(to.path) / Path(from_.path).name))
    return _copied(session, from_, to, resume=resume, says_yes=yes)


def parse(text: str) -> Place:
    """Return the place that was typed; a path here that holds a colon is written with a slash before it."""
    node, colon, path = text.partition(":")
    if not colon or "/" in node or not node:
        return Place("", text)
    return Place(node, path)


def _file_here(path: str) -> Path:
    found = Path(path).expanduser()
    if not found.exists():
        raise HubError("not_found", f"there is no file {path}", hint="Check the path.")
    if not found.is_file():
        raise HubError("usage", f"{path} is no file", hint="Pack a folder first: tar -czf FOLDER.tgz FOLDER")
    return found


def _named(path: str, name: str) -> str:
    """Return a path on the node that ends in a file's name."""
    return f"{path}{name}" if not path or path.endswith("/") else f"{path}/{name}" if path in (".", "..") else path


def _copied(session: Session, source: Place, target: Place, *, resume: bool, says_yes: bool) -> Answer:
    from instar.cli.copying import Copied, Copying  # noqa: PLC0415 - help needs none of it
    from instar.client.link import Link  # noqa: PLC0415

    local = Path(target.path if source.node else source.path).expanduser()
    is_seen = session.output.form == "text" and sys.stderr.isatty()

    def tell(done: int, whole: int) -> None:
        if is_seen and done < whole:
            session.output.note(f"{size(done)} of {size(whole)}")

    async def run() -> Copied:
        token, _ = session.credential
        async with Link(
            session.access.url, token, feed=False, client="instar-cp", trust=session.trust
        ) as link:  # fmt: skip
            copying = Copying(session, link, source.node or target.node, says_yes=says_yes, tell=tell)
            if target.node:
                return await copying.put(local, target.path, resume=resume)
            return await copying.get(source.path, local, resume=resume)

    done = asyncio.run(run())
    line = f"{done.source} → {done.target} ({size(done.size_bytes)}, sha256 {done.sha256[:12]}…)"
    return Answer(done._asdict(), [line])


COMMAND = cp
