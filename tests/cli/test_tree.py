"""What holds for every command of the tree."""

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from instar.cli.command import Command, Group
from instar.cli.commands import devices, pairing, rooms, runs, schedules
from instar.cli.scopes import SCOPES
from instar.cli.tree import BARE, ROOT
from instar.cli.wakes import WAKES
from instar.wire.agents import Wake
from instar.wire.devices import Role
from instar.wire.identity import Scope
from instar.wire.limits import PAIRING_WINDOW_S
from instar.wire.rooms import Visibility, WritePolicy
from instar.wire.runs import RunState
from instar.wire.schedules import CatchUp

VERBS = {
    "list", "show", "create", "add", "remove", "register", "token", "pause", "resume", "stop-all", "export", "members",
    "ack", "nack", "wake", "replay", "cancel", "revoke", "rotate", "install", "status", "requests", "approve", "reject",
    "rename", "enable", "disable", "code", "passwd", "fingerprint", "renew", "call", "health", "probe", "verify",
    "audit", "output", "signal", "clear", "deny", "watch", "judge", "rules",
    "keys", "targets", "default", "test", "scan", "pin", "unpin", "generate", "import", "reset",
    "join", "describe", "logs", "pending", "label", "allow", "rekey", "doctor", "pairing",
    "update", "run", "get", "set", "unset", "history", "rollback", "path", "schema", "validate",
}  # fmt: skip
"""The same verb means the same for every noun; a new one is added here, not by accident."""


def walk(group: Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in [*group.list_commands(context), *([BARE] if group is ROOT else [])]:
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, Group):
            yield from walk(command, (*path, name))


TREE = {" ".join(path): command for path, command in walk(ROOT)}


@pytest.mark.parametrize("path", TREE)
def test_help_leads_with_examples_and_fits_eighty_columns(path: str):
    command = TREE[path]
    with click.Context(ROOT, info_name="instar") as root:
        text = command.get_help(click.Context(command, info_name=path, parent=root))
    assert text.startswith("Example:\n  instar")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("path", [path for path in TREE if path != BARE])
def test_examples_are_of_the_command_itself(path: str):
    command = TREE[path]
    assert isinstance(command, Command | Group)
    for example in command.examples:
        assert re.match(rf"instar {path.split(maxsplit=1)[0] if isinstance(command, Group) else path}\b", example)


def test_the_lazy_tree_knows_the_summaries():
    for name, summary in ROOT.summaries(click.Context(ROOT)):
        command = TREE[name]
        if isinstance(command, Command):
            assert command.get_short_help_str(200).rstrip(".") == summary


def test_verbs_are_the_same_everywhere():
    assert {path.split()[-1] for path in TREE if " " in path} <= VERBS


def test_every_command_has_json():
    for command in TREE.values():
        if isinstance(command, Command):
            assert {"--json", "--output", "--no-input"} <= {name for param in command.params for name in param.opts}


def test_no_secret_is_an_option():
    for path, command in TREE.items():
        names = {name for param in command.params for name in param.opts}
        assert not names & {"--token", "--password", "--secret", "--key"}, path


def test_choices_are_those_of_the_wire():
    assert list(WAKES) == list(Wake)
    assert list(SCOPES) == list(Scope)
    assert list(devices.ROLES) == list(Role)
    assert pairing.WINDOW_S == PAIRING_WINDOW_S
    assert list(rooms.VISIBILITIES) == list(Visibility)
    assert list(rooms.WRITE_POLICIES) == list(WritePolicy)
    assert list(runs.STATES) == list(RunState)
    assert list(schedules.CATCH_UPS) == list(CatchUp)


HEAVY = {"instar.server", "instar.hub", "instar.store", "msgspec", "uvicorn", "asyncio", "apsw", "rich", "ruamel.yaml"}


@pytest.mark.parametrize("argv", ["send general hi", "read general", "inbox list --agent a", "--help", "rooms --help"])
def test_short_commands_are_light(argv: str):
    program = (
        "import sys; from instar.cli.main import main\n"
        f"try: main({argv.split()!r})\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    environment = {"INSTAR_URL": "http://127.0.0.1:1", "PATH": "", "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert not HEAVY & set(done.stderr.splitlines()[-1].split())
