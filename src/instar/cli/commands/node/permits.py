"""`instar node allow`: what a node may be asked, by the hub's word and by the machine's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from instar.base.errors import InstarError
from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import plain, table
from instar.client.errors import HubError
from instar.node import allow as allowing
from instar.node import config as remembering
from instar.node.allow import Allowed
from instar.wire.execution import Sandbox

from .roster import node_of


@command(
    "instar node allow local", "instar node allow local exec shell --json", "instar node allow --here --remove shell"
)
@click.argument("words", nargs=-1, metavar="[NODE] [CMD]…")
@click.option("--here", is_flag=True, help="This machine's own list, which no hub can widen.")
@click.option("--remove", is_flag=True, help="Permit these no more.")
@click.option("--only", is_flag=True, help="Permit these and nothing else.")
@click.option("--env", multiple=True, metavar="NAME", help="A variable to forward; may be repeated.")
@click.option("--agent", "agents", multiple=True, metavar="ID", help="On behalf of these agents alone; `any` for all.")
@click.option("--root", "roots", multiple=True, type=click.Path(path_type=Path), help="With --here: a folder.")
@click.option(
    "--sandbox", type=click.Choice([str(each) for each in Sandbox]), help="With --here: the least that programs run in."
)
def allow(
    session: Session,
    words: tuple[str, ...],
    *,
    here: bool,
    remove: bool,
    only: bool,
    env: tuple[str, ...],
    agents: tuple[str, ...],
    roots: tuple[Path, ...],
    sandbox: str | None,
) -> Answer:
    """Say what a node may be asked; with nothing more, show it.

    CMD is the name of a tool or a glob (`read*`); `*` is everything that the node offers. Both lists must permit a
    tool: the hub's, kept for NODE, and the machine's own (--here). Each call is still judged by the rules.
    """
    if remove and only:
        raise HubError("usage", "--remove and --only exclude each other", hint="Use one of them.")
    change = _changer(remove=remove, only=only)
    if here:
        if agents:
            raise HubError("usage", "--agent is the hub's affair", hint="Use it without --here.")
        return _here(session, words, env, roots, sandbox, change)
    if roots or sandbox:
        raise HubError("usage", "--root and --sandbox are the machine's own affair", hint="Add --here on the node.")
    if not words:
        raise HubError("usage", "no node is named", hint="Name one (instar node list), or add --here.")
    return _of_hub(session, words[0], words[1:], env, agents, change)


_Change = Callable[[Sequence[str], Sequence[str]], list[str]]


def _changer(*, remove: bool, only: bool) -> _Change:
    """Return how a list changes by what was named: joined with it, without it, or it alone."""

    def change(known: Sequence[str], named: Sequence[str]) -> list[str]:
        if only and named:
            return list(dict.fromkeys(named))
        if remove:
            return [each for each in known if each not in named]
        return list(dict.fromkeys([*known, *named]))

    return change


def _of_hub(
    session: Session, node: str, commands: Sequence[str], env: Sequence[str], agents: Sequence[str], change: _Change
) -> Answer:
    known = node_of(session, node)
    permit: dict[str, Any] = known.get("permit", {})
    if commands or env or agents:
        wanted = {
            "commands": change(permit.get("commands", []), commands),
            "env": change(permit.get("env", []), env),
            "agents": None if "any" in agents else change(permit.get("agents") or [], agents) or permit.get("agents"),
        }
        known = session.invoke("nodes.permit", node_id=known["id"], permit=wanted)
        permit = known.get("permit", {})
    rows = [
        ("the hub permits", plain(permit.get("commands", []))),
        ("the node offers", plain(known.get("declared", []))),
        ("so it may be asked", plain(known.get("commands", [])) if known.get("commands") else "nothing"),
        ("variables", plain(permit.get("env", []))),
        ("on behalf of", plain(permit["agents"]) if permit.get("agents") is not None else "any agent"),
    ]
    return Answer(known, table(("NODE", str(known.get("name") or known["id"])), rows))


def _here(
    session: Session,
    commands: Sequence[str],
    env: Sequence[str],
    roots: Sequence[Path],
    sandbox: str | None,
    change: _Change,
) -> Answer:
    path = remembering.folder_of(session.environ).allow
    known = allowing.load(path)
    before = known.commands
    if commands or env or roots or sandbox:
        known = _changed(known, commands, env, roots, sandbox, change)
        allowing.check_added(known.commands, before)
        allowing.save(path, known)
    rows = [
        ("commands", plain(known.commands) if known.commands else "nothing"),
        ("so it offers", plain(known.commands_of()) if known.commands_of() else "nothing"),
        ("roots", plain(known.roots)),
        ("variables", plain(known.env)),
        ("sandbox", f"at least {known.sandbox}" if known.sandbox is not Sandbox.NONE else "as asked"),
    ]
    document = {"path": str(path), **msgspec.to_builtins(known)}
    return Answer(document, table(("HERE", str(path)), rows))


def _changed(
    known: Allowed,
    commands: Sequence[str],
    env: Sequence[str],
    roots: Sequence[Path],
    sandbox: str | None,
    change: _Change,
) -> Allowed:
    folders = [str(root.expanduser().absolute()) for root in roots]
    for folder in folders:
        if not Path(folder).is_dir() and folder not in known.roots:
            raise InstarError("not_found", f"there is no folder {folder}", hint="Make it first, or check the path.")
    return Allowed(
        change(known.commands, commands),
        change(known.roots, folders),
        change(known.env, env),
        known.sandbox if sandbox is None else Sandbox(sandbox),
    )
