"""`instar send`."""

import sys
import uuid
from pathlib import Path
from typing import Any

import click

from instar.cli.command import command
from instar.cli.completions import agents
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place, wire_target
from instar.client.errors import HubError, TimedOutError


@command(
    'instar send general "Good morning @guide"',
    'instar send @guide "A word in private" --json',
    "instar send thread:t1@general - < notes.txt",
)
@click.argument("target", type=TARGET)
@click.argument("text", default="")
@click.option("--as", "as_agent", default="", shell_complete=agents, help="Speak as this agent.")
@click.option("--id", "message_id", default="", help="Message id; a repeat under it is stored once.")
@click.option("--reply-to", default="", metavar="MESSAGE", help="Id of the message that this answers.")
@click.option(
    "--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Upload a file and add it; may be repeated.",
)  # fmt: skip
def send(
    session: Session,
    target: Place,
    text: str,
    *,
    as_agent: str,
    message_id: str,
    reply_to: str,
    files: tuple[Path, ...],
) -> Answer:
    """Send a message.

    TARGET is a room, room:ID, thread:ID@ROOM, dm:ID, session:ID or @AGENT. TEXT may be - to read standard input.
    The answer comes when the message is on disk.
    """
    content = sys.stdin.read() if text == "-" else text
    if not content and not files:
        raise HubError("usage", "there is nothing to send", hint="Give TEXT, - for standard input, or --file.")
    return deliver(session, target, content, as_agent=as_agent, message_id=message_id, reply_to=reply_to, files=files)


def deliver(
    session: Session,
    place: Place,
    content: str,
    *,
    as_agent: str = "",
    message_id: str = "",
    reply_to: str = "",
    files: tuple[Path, ...] = (),
) -> Answer:
    """Send one message and return what the hub answered.

    Raises:
        HubError: The hub refused it, or did not answer; then the hint says how to repeat it safely.
    """
    chosen = message_id or f"msg_{uuid.uuid4()}"
    params: dict[str, Any] = {
        "id": chosen,
        "target": wire_target(session, place, as_agent=as_agent),
        "parts": [{"kind": "text", "text": content}] if content else [],
    }
    params["parts"] += [_upload(session, path) for path in files]
    if as_agent:
        params["from"] = {"type": "agent", "id": session.seek("agent", as_agent)}
    if reply_to:
        params["reply_to"] = reply_to
    try:
        accepted = session.invoke("messages.send", **params)
    except TimedOutError as error:
        raise HubError(
            "timeout", error.message, hint=f"Send it again with --id {chosen}: it is stored once.", retryable=True
        ) from error
    return Answer(accepted, [f"Sent as {accepted['message_id']} (seq {accepted['seq']})."])


def _upload(session: Session, path: Path) -> dict[str, str]:
    """Upload a file and return the part that shows it."""
    import mimetypes  # noqa: PLC0415 - most messages carry no file

    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    with path.open("rb") as file:
        stored = session.client.upload(file, path.stat().st_size, filename=path.name, media_type=media_type)
    kind = media_type.partition("/")[0]
    return {
        "kind": kind if kind in ("image", "audio") else "file",
        "blob": stored["blob"],
        "media_type": media_type,
        "filename": path.name,
    }


COMMAND = send
