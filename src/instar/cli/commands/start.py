"""`instar start`: the hub in the foreground."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instar.cli.command import command
from instar.cli.session import Session
from instar.client.access import ADDRESS_FILE, read_secret
from instar.client.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Generator

    from instar.server.app import Announcement

NEXT = 'instar send general "Hello @guide"'
"""The one command to try when the hub runs."""


_SECRET_FILES = {"auth.token": "--token-file", "auth.password": "--password-file"}
"""Settings that no command line may hold → the option that names a file instead."""


@command("instar start --listen 127.0.0.1:0 --log-level warning", offline=True)
@click.option("--listen", metavar="HOST:PORT", help="Address to listen on; port 0 takes a free one.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of all that the hub remembers.")
@click.option("--config", type=click.Path(dir_okay=False), help="Settings file (YAML).")
@click.option("--auth-mode", type=click.Choice(["bearer", "none", "open"]), help="How callers prove who they are.")
@click.option(
    "--token-file", "secret_file", default="", metavar="FILE", help="File with the gateway's secret (- is stdin)."
)
@click.option("--password-file", default="", metavar="FILE", help="The same of the shared password.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least severe log line.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting; may be repeated.")
def start(
    session: Session,
    *,
    listen: str | None,
    data_dir: str | None,
    config: str | None,
    auth_mode: str | None,
    secret_file: str,
    password_file: str,
    log_level: str | None,
    assignments: tuple[str, ...],
) -> int:
    """Start the hub in the foreground.

    No configuration, account or key is needed. It ends with Ctrl-C, when all that was acknowledged is on disk.
    """
    named = {"listen": listen, "data_dir": data_dir, "auth.mode": auth_mode, "log.level": log_level}
    secrets = {"auth.token": _secret(secret_file), "auth.password": _secret(password_file)}
    return serve(session, {**named, **dict(map(_assignment, assignments)), **secrets}, config)


def _secret(file: str) -> str | None:
    """Return the secret in a private file, or in the next line of standard input (`-`); None: none was named.

    Raises:
        HubError: `unauthorized` when others can read the file; `usage` when there is nothing in it.
    """
    if not file:
        return None
    text = sys.stdin.readline().strip() if file == "-" else read_secret(Path(file))
    if not text:
        raise HubError("usage", f"there is no secret in {'standard input' if file == '-' else file}")
    return text


def serve(session: Session, flags: Mapping[str, object], config: str | None = None) -> int:
    """Run the hub until it is told to stop; return its exit code.

    Raises:
        InstarError: A setting that does not fit, an address or data in use, a public bind without credentials.
    """
    from instar.hub.settings.load import load  # noqa: PLC0415 - only a starting hub needs the hub
    from instar.server.app import run  # noqa: PLC0415

    loaded = load(flags, session.environ, config)
    with _address_file(Path(loaded.settings.data_dir)) as path:

        def announce(announcement: "Announcement") -> None:
            path.write_text(f"{announcement.address} {announcement.fingerprint}".rstrip())
            _announce(session, announcement)

        return run(loaded, announce=announce)


def _announce(session: Session, said: "Announcement") -> None:
    """Say where the hub is, and what to do next."""
    document: dict[str, Any] = {
        "url": said.url,
        "console_url": said.console_url,
        "fingerprint": said.fingerprint,
        "setup_code": said.setup_code,
        "data_dir": str(said.data_dir),
        "first_start": said.first_start,
        "pid": os.getpid(),
    }
    if session.output.is_json:
        session.output.document(document)
    elif session.output.form == "text":
        lines = [
            f"Instar runs at {said.url}",
            f"  Data     {said.data_dir}",
            *([f"  TLS      {said.fingerprint}  (what clients compare)"] if said.fingerprint else []),
            f"  Console  {said.console_url}",
            "           (signs a browser in, once, within 5 minutes; a new link: instar open)",
            *(
                [f"  Code     {said.setup_code}  (to type at /console/, once, within 15 minutes)"]
                if said.setup_code
                else []
            ),
            f"  Next     {NEXT}",
        ]
        click.echo("\n".join(lines))
    sys.stdout.flush()


@contextmanager
def _address_file(data_dir: Path) -> "Generator[Path]":
    """Give the file in which the hub leaves its address; it is gone after a clean stop."""
    path = data_dir / ADDRESS_FILE
    left = path.read_text() if path.exists() else None
    try:
        yield path
    finally:
        if path.exists() and path.read_text() != left:
            path.unlink()


def _assignment(text: str) -> tuple[str, object]:
    """Return key and value of `KEY=VALUE`; a value that reads as JSON is that."""
    key, equals, value = text.partition("=")
    if not equals:
        raise HubError("usage", f"--set takes KEY=VALUE, got {text!r}", hint="Example: --set log.level=debug")
    if key in _SECRET_FILES:
        hint = f"Use {_SECRET_FILES[key]} FILE, or `instar config set {key}`."
        raise HubError("usage", f"--set {key} would show the secret to every process on this machine", hint=hint)
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


COMMAND = start
