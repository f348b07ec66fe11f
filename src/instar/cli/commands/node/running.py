"""`instar node run|status|logs|fingerprint|remove`: the node on this machine."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from instar.cli.command import command
from instar.cli.outputs import Answer, Stream
from instar.cli.session import Session
from instar.cli.texts import relative, visible
from instar.client import device
from instar.client.errors import HubError
from instar.node import config as remembering
from instar.node import standing as standings
from instar.node.config import NodeConfig, NodeFolder
from instar.node.service import NodeService
from instar.wire import signatures
from instar.wire.limits import LOG_FILE_MAX_BYTES

_FOLLOW_S = 0.25
_TAIL_BYTES = 8_192


@command("instar node run", offline=True)
def run(session: Session) -> int:
    """Serve the hub in the foreground, as the service does.

    It comes back to the hub for ever, until it is told to end.
    """
    folder = remembering.folder_of(session.environ)
    return serve(session, folder, joined(folder))


@command("instar node status", offline=True)
def status(session: Session) -> Answer:
    """Say of which hub this machine is a node, whether it runs, and whether it is connected.

    It asks the running node, not the hub: the answer is there when the hub is away.
    """
    folder = remembering.folder_of(session.environ)
    known = remembering.load(folder)
    if known is None:
        lines = ["This machine is no node. Make it one: instar node join URL"]
        return Answer({"registered": False}, lines)
    service = NodeService(folder, session.environ)
    running = service.running()
    state = f"{running.state} (pid {running.pid})" if running.pid else running.state
    link = _link(folder)
    document = {
        "registered": True,
        "url": known.url,
        "name": known.name,
        "device_id": known.device_id,
        "hub_key": known.hub_key,
        "working_dir": known.working_dir,
        "labels": known.labels,
        "service": {"state": running.state, "pid": running.pid, "path": str(service.path)},
        "link": link,
        "log": str(folder.log),
    }
    lines = [f"Hub:     {known.url}", f"Name:    {known.name or '-'}", f"Service: {state}"]
    return Answer(document, [*lines, *_link_lines(link)])


def _link(folder: NodeFolder) -> dict[str, Any]:
    """Return how the node stands with its hub: `connected`, `away`, or `down` when no node runs."""
    standing = standings.read(folder.standing)
    if standing is None:
        return {"state": "down"}
    return {"state": "connected" if standing.is_connected else "away", **msgspec.to_builtins(standing)}


def _link_lines(link: dict[str, Any]) -> Iterator[str]:
    if link["state"] == "down":
        yield "Link:    no node runs here"
        return
    error: dict[str, Any] = link.get("last_error") or {}
    if link["state"] == "connected":
        yield f"Link:    connected to {link['url']} since {_moment(link['since'])}, pid {link['pid']}"
        if error:
            yield f"  Last error, {relative(error['at'])}: {visible(error['message'])} ({error['code']})"
        return
    yield f"Link:    not connected since {_moment(link['since'])}, pid {link['pid']}"
    if not error:
        yield "  It is being tried for the first time."
        return
    yield f"  {visible(error['message'])} ({error['code']}), {relative(error['at'])}"
    if error.get("hint"):
        yield f"  {visible(error['hint'])}"
    is_due = datetime.fromisoformat(link["next_try_at"]) <= datetime.now(UTC)
    yield f"  Failed tries: {link['tries']}; the next comes {'now' if is_due else relative(link['next_try_at'])}."


def _moment(timestamp: str) -> str:
    return f"{timestamp[:19]}Z ({relative(timestamp)})"


@command("instar node logs", offline=True)
@click.option("-f", "--follow", is_flag=True, help="Print what is written, as it comes.")
def logs(session: Session, *, follow: bool) -> Answer | Stream:
    """Print the path of this node's log, or follow it.

    A node in the foreground writes to its terminal instead.
    """
    path = remembering.folder_of(session.environ).log
    if follow:
        return Stream(({"line": line} for line in _tail(path)), lambda document: str(document["line"]))
    return Answer({"path": str(path)}, [str(path)])


@command("instar node fingerprint", offline=True)
def fingerprint(session: Session) -> Answer:
    """Print the fingerprint of this node's key; the first call makes the key."""
    seed = device.seed_at(remembering.folder_of(session.environ).key)
    own = signatures.fingerprint(signatures.public_key_of(seed))
    return Answer({"fingerprint": own}, [own])


@command("instar node remove --yes", offline=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, *, yes: bool) -> Answer:
    """End this machine's being a node: stop the service, forget the hub.

    Its key and its allow list stay. Removing what is not there is no failure. The hub forgets it by `instar devices
    remove`.
    """
    folder = remembering.folder_of(session.environ)
    known = remembering.load(folder) if folder.config.exists() else None
    if known is not None:
        session.confirm(f"Serve {known.url} no more?", yes=yes)
    outcome = NodeService(folder, session.environ).remove()
    existed = remembering.forget(folder)
    lines = ["Node removed." if existed else "This machine was no node."]
    if known is not None and known.device_id:
        lines.append(f"  On the hub run: instar devices remove {known.device_id}")
    return Answer({"removed": existed, "service": outcome.message}, lines)


def joined(folder: NodeFolder) -> NodeConfig:
    """Return what this machine remembers as a node.

    Raises:
        HubError: `not_found` when it is none.
    """
    known = remembering.load(folder)
    if known is None:
        raise HubError("not_found", "this machine is no node", hint="Join a hub: instar node join URL")
    return known


def serve(session: Session, folder: NodeFolder, known: NodeConfig) -> int:
    """Run the node here until it is ended; return the exit code."""
    from instar.node.main import run as run_node  # noqa: PLC0415 - the node's own parts, only where one runs

    _shorten(folder.log)
    return run_node(folder, known, session.environ)


def _shorten(log: Path) -> None:
    """Keep what the log held before when it grew too long; the service goes on writing at its new beginning."""
    try:
        if log.stat().st_size > LOG_FILE_MAX_BYTES:
            log.with_suffix(".log.1").write_bytes(log.read_bytes()[-LOG_FILE_MAX_BYTES:])
            with log.open("r+b") as file:
                file.truncate(0)
    except OSError:
        return


def _tail(path: Path) -> Iterator[str]:
    """Yield the end of a file, then what is written to it, for ever."""
    if not path.exists():
        raise HubError("not_found", f"there is no log {path}", hint="Only a node that runs as a service writes one.")
    with path.open(errors="replace") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        while True:
            if line := file.readline():
                yield line.rstrip("\n")
                continue
            if path.stat().st_size < file.tell():
                file.seek(0)
            time.sleep(_FOLLOW_S)
