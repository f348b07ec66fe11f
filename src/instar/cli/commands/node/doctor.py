"""`instar node doctor`: what is wrong with this machine as a node, and how to mend it."""

import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import click

from instar.base.errors import InstarError
from instar.cli import exits
from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client import device
from instar.client.errors import HubError
from instar.client.http import Client
from instar.client.pins import Pin
from instar.client.trust import Trust
from instar.node import allow as allowing
from instar.node import config as remembering
from instar.node.config import NodeConfig, NodeFolder
from instar.node.roots import Roots
from instar.node.service import NodeService
from instar.wire.nodes import CheckLevel, ExecCheck

PROBE_S = 5.0
CLOCK_S = 120.0
"""A clock that is further off than this makes times hard to read."""
_MARKS = {CheckLevel.OK: ("ok", "green"), CheckLevel.WARN: ("!!", "yellow"), CheckLevel.ERROR: ("!!", "red")}


@dataclass(frozen=True, slots=True)
class _Scene:
    session: Session
    folder: NodeFolder
    config: NodeConfig

    @property
    def client(self) -> Client:
        trust = Trust(self.config.ca_file, self.config.certificate, "node.json")
        return Client(self.config.url, timeout_s=PROBE_S, trust=trust)


@command("instar node doctor", offline=True)
def doctor(session: Session) -> Answer:
    """Look for what is wrong with this machine as a node, and say how to mend it.

    It changes nothing. Exit code 8 means that something needs mending.
    """
    found = list(_findings(session))
    is_degraded = any(each.level is CheckLevel.ERROR for each in found)
    rows = [
        {"id": each.id, "level": str(each.level), "title": each.title, "message": each.message, "hint": each.hint}
        for each in found
    ]
    code = exits.DEGRADED if is_degraded else exits.OK
    return Answer({"ok": not is_degraded, "checks": rows}, _lines(found), rows=rows, code=code)


def _findings(session: Session) -> Iterator[ExecCheck]:
    folder = remembering.folder_of(session.environ)
    try:
        config = remembering.load(folder)
    except InstarError as error:
        yield _bad("node.joined", "This machine is a node", error.message, error.hint)
        return
    if config is None:
        hint = "Join a hub: instar node join URL"
        yield _bad("node.joined", "This machine is a node", f"There is no {folder.config}", hint)
        return
    yield _good("node.joined", "This machine is a node", f"of {config.url}")
    scene = _Scene(session, folder, config)
    for check in (_key, _hub, _clock, _service, _allow, _roots, _sandbox):
        yield check(scene)


def _key(scene: _Scene) -> ExecCheck:
    title = "The key is its owner's alone"
    try:
        mode = stat.S_IMODE(scene.folder.key.stat().st_mode)
        device.seed_at(scene.folder.key)
    except FileNotFoundError:
        return _bad("node.key", title, f"There is no {scene.folder.key}", "Join again: instar node join")
    except HubError as error:
        return _bad("node.key", title, error.message, error.hint)
    return _good("node.key", title, f"{scene.folder.key} has mode {mode:04o}")


def _hub(scene: _Scene) -> ExecCheck:
    title = "The hub is there, is the one that was pinned, and knows this node"
    config = scene.config
    pin = Pin(config.certificate, config.hub_id, config.hub_key, config.device_id, "node")
    try:
        seed = device.seed_at(scene.folder.key)
        device.sign_in(scene.client, seed, device.begin(scene.client, seed, pin), role="node")
    except HubError as error:
        return _bad("node.hub", title, error.message, error.hint)
    return _good("node.hub", title, f"{config.url} is {config.hub_key}")


def _clock(scene: _Scene) -> ExecCheck:
    title = "This machine's clock goes with the hub's"
    try:
        with scene.client.open("GET", "/healthz") as answer:
            said = answer.header("date")
            off = time.time() - parsedate_to_datetime(said).timestamp() if said else 0.0
    except (HubError, ValueError) as error:
        return ExecCheck("node.clock", CheckLevel.WARN, title, f"It could not be compared: {error}")
    if abs(off) > CLOCK_S:
        return _bad("node.clock", title, f"It is off by {off:.0f} s", "Set it by the network: timedatectl set-ntp true")
    return _good("node.clock", title, f"They differ by {abs(off):.0f} s")


def _service(scene: _Scene) -> ExecCheck:
    title = "The service runs"
    try:
        service = NodeService(scene.folder, scene.session.environ)
    except InstarError as error:
        return ExecCheck("node.service", CheckLevel.WARN, title, error.message, error.hint)
    running = service.running()
    if running.state == "running":
        return _good("node.service", title, f"pid {running.pid}" if running.pid else "it does")
    if running.state == "not installed":
        hint = "Install it with `instar node join`, or run `instar node run` under a supervisor of your own."
        return ExecCheck("node.service", CheckLevel.WARN, title, "It is not installed", hint)
    return _bad("node.service", title, f"It is {running.state}", "Read why: instar node logs -f")


def _allow(scene: _Scene) -> ExecCheck:
    title = "The allow list permits something"
    try:
        allowed = allowing.load(scene.folder.allow)
    except InstarError as error:
        return _bad("node.allow", title, error.message, error.hint)
    if not allowed.commands_of():
        hint = "Permit some: instar node allow --here '*'"
        return _bad("node.allow", title, f"{scene.folder.allow} permits no tool", hint)
    return _good("node.allow", title, ", ".join(allowed.commands_of()))


def _roots(scene: _Scene) -> ExecCheck:
    title = "The folders that it grants can be opened"
    try:
        granted = [Path(root) for root in allowing.load(scene.folder.allow).roots]
        Roots(granted, hidden=[scene.folder.path]).close()
    except InstarError as error:
        return _bad("node.roots", title, error.message, error.hint)
    if not granted:
        hint = "Grant one: instar node allow --here --root FOLDER"
        return ExecCheck("node.roots", CheckLevel.WARN, title, "It grants none, so file tools reach nothing", hint)
    return _good("node.roots", title, ", ".join(map(str, granted)))


def _sandbox(scene: _Scene) -> ExecCheck:  # noqa: ARG001 - the shape of a check
    title = "Programs can be kept in a sandbox"
    from instar.node.sandbox import bubblewrap  # noqa: PLC0415 - it tries one

    if path := bubblewrap():
        return _good("node.sandbox", title, path)
    hint = "Install bubblewrap; until then agents' calls need an approval without a sandbox."
    return ExecCheck("node.sandbox", CheckLevel.WARN, title, "There is no bubblewrap that works", hint)


def _good(id_: str, title: str, message: str) -> ExecCheck:
    return ExecCheck(id_, CheckLevel.OK, title, message)


def _bad(id_: str, title: str, message: str, hint: str) -> ExecCheck:
    return ExecCheck(id_, CheckLevel.ERROR, title, message, hint)


def _lines(found: list[ExecCheck]) -> Iterator[str]:
    for each in found:
        mark, color = _MARKS[each.level]
        yield f"{click.style(mark, fg=color)}  {each.id:<13} {each.title}: {each.message}"
        if each.hint and each.level is not CheckLevel.OK:
            yield f"    {each.hint}"
    wrong = sum(each.level is not CheckLevel.OK for each in found)
    yield f"{len(found)} checks, {f'{wrong} found something' if wrong else 'all is well'}."
