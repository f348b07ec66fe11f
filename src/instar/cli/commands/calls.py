"""`instar calls …`."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place
from instar.cli.texts import plain, relative, size, table, visible
from instar.client.errors import HubError

LATEST = "latest"
STATES = (
    "admitted", "awaiting_approval", "dispatched", "streaming", "done", "failed", "cancelled", "expired", "lost",
)  # fmt: skip
_CALL = click.argument("call")
_FOLLOW_WAIT_S = 30.0
_CHANNELS = {"stdout": 1, "stderr": 2}
_WORDS = 60
"""Characters of a command in a list."""


@command("instar calls list --live", "instar calls list --room general --limit 5", name="list")
@click.option("--room", type=TARGET, help="Only of this room.")
@click.option("--node", default="", metavar="NODE", help="Only on this machine: its id.")
@click.option(
    "--state", type=click.Choice(STATES), metavar="STATE", help="Only in this state: awaiting_approval, lost …"
)
@click.option("--live", is_flag=True, help="Only those that have not ended.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Calls to list.")
def list_(session: Session, *, room: Place | None, node: str, state: str | None, live: bool, limit: int) -> Answer:
    """List calls, newest first."""
    key = room.key if room is not None else ""
    found = listed(session, limit, room=key, target=node, state=state, live=live or None)
    heads = ("CALL", "MACHINE", "STATE", "WHAT", "ASKED", "EXIT")
    return Answer(found, table(heads, map(_row, found["calls"]), empty="There is no such call."), found["calls"])


@command("instar calls show latest")
@_CALL
def show(session: Session, call: str) -> Answer:
    """Show one call: what it is, where it stands, what it wrote last.

    CALL is an id, or `latest`.
    """
    found = session.invoke("calls.get", call_id=_id(session, call))
    return Answer(found, [*table(("CALL", found["id"]), [("what", _what(found)), *_facts(found)]), *_wrote(found)])


@command("instar calls output latest", "instar calls output latest --follow", "instar calls output latest --tail 2000")
@_CALL
@click.option("--channel", type=click.Choice(tuple(_CHANNELS)), default="stdout", show_default=True, help="Which.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="From this byte on.")
@click.option("--tail", type=click.IntRange(min=1), metavar="BYTES", help="Only the last bytes.")
@click.option("--follow", is_flag=True, help="Go on until the call has ended.")
def output(session: Session, call: str, *, channel: str, offset: int, tail: int | None, follow: bool) -> int:
    """Write a call's output to standard output, byte by byte as it was.

    CALL is an id, or `latest`.
    """
    call_id = _id(session, call)
    for content in _ranges(session, call_id, _CHANNELS[channel], -tail if tail else offset, is_followed=follow):
        _stdout().write(content)
        _stdout().flush()
    return 0


@command("instar calls cancel latest --reason enough")
@_CALL
@click.option("--reason", default="", help="Why.")
def cancel(session: Session, call: str, *, reason: str) -> Answer:
    """Stop a call and every process that it started.

    CALL is an id, or `latest`.
    """
    done = session.invoke("calls.cancel", call_id=_id(session, call), reason=reason)
    return Answer(done, [f"{done['id']} is {done['state']}."])


@command("instar calls signal latest INT")
@_CALL
@click.argument("signal")
def signal(session: Session, call: str, signal: str) -> Answer:
    """Send a signal to a call's processes.

    CALL is an id, or `latest`. SIGNAL is a name: INT, TERM, HUP.
    """
    name = signal.upper().removeprefix("SIG")
    done = session.invoke("calls.signal", call_id=_id(session, call), signal=name)
    return Answer(done, [f"Sent {name} to {done['id']}."])


def _ranges(session: Session, call_id: str, channel: int, offset: int, *, is_followed: bool) -> Iterator[bytes]:
    """Yield what is stored from `offset` on; followed, until the call has ended."""
    while True:
        wait = _FOLLOW_WAIT_S if is_followed else 0
        params = {"call_id": call_id, "channel": channel, "offset": offset, "wait": wait}
        with session.client.ask("calls.output", params, timeout_s=session.timeout_s + wait) as answer:
            content = answer.read()
            begin, total = int(answer.header("instar-offset")), int(answer.header("instar-total"))
            is_ended, dropped = answer.header("instar-ended") == "true", int(answer.header("instar-dropped"))
        yield content
        offset = begin + len(content)
        if offset >= total and (is_ended or not is_followed):
            if dropped:
                click.echo(f"{dropped:,} bytes beyond what is kept were thrown away.", err=True)
            return


def listed(session: Session, limit: int, **query: object) -> dict[str, Any]:
    """Return so many calls, or all there are: a page may have fewer, and the list goes on nevertheless."""
    calls: list[Any] = []
    before: str | None = None
    while True:
        page = session.invoke("calls.list", **query, limit=limit - len(calls), before=before)
        calls += page["calls"]
        before = page.get("next_before")
        if not before or len(calls) >= limit:
            return {**page, "calls": calls}


def _id(session: Session, call: str) -> str:
    if call != LATEST:
        return call
    found = listed(session, 1)["calls"]
    if not found:
        raise HubError("not_found", "there is no call yet", hint="Ask for one: instar exec --node local -- uname -a")
    return str(found[0]["id"])


def _row(call: dict[str, Any]) -> Sequence[object]:
    what = _what(call)
    return (
        call["id"], call.get("target_name") or "-", call["state"], what if len(what) <= _WORDS else what[:_WORDS] + "…",
        relative(call["created_at"]), _ended(call),
    )  # fmt: skip


def _what(call: dict[str, Any]) -> str:
    args: dict[str, Any] = call.get("args") or {}
    said = args.get("command") or " ".join(map(str, args.get("argv") or ())) or args.get("path") or ""
    return visible(f"{call['tool']} {said}".strip())


def _ended(call: dict[str, Any]) -> str:
    if call.get("signal"):
        return str(call["signal"])
    if call.get("error"):
        return str(call["error"]["code"])
    return "" if call.get("exit_status") is None else str(call["exit_status"])


def _facts(call: dict[str, Any]) -> list[tuple[str, str]]:
    plan: dict[str, Any] = call.get("plan") or {}
    error: dict[str, str] = call.get("error") or {}
    env: dict[str, str] = plan.get("env") or {}
    streams: list[dict[str, Any]] = call.get("streams") or []
    told = {
        "in": str(plan.get("cwd", "")),
        "with": ", ".join(f"{name}={value}" for name, value in env.items()),
        "error": ": ".join(filter(None, (error.get("code"), error.get("message")))),
        "hint": error.get("hint", ""),
        "streams": ", ".join(map(_stream, streams)),
    }
    unsaid = ("id", "tool", "args", "plan", "stdout", "stderr", "digest", *told)
    kept = {name: plain(value) for name, value in call.items() if name not in unsaid and value not in ("", [])}
    return [(name, value) for name, value in {**kept, **told}.items() if value]


def _stream(stream: dict[str, Any]) -> str:
    name = next((name for name, channel in _CHANNELS.items() if channel == stream["channel"]), stream["channel"])
    dropped = stream.get("dropped_bytes")
    return f"{name} {size(stream['size_bytes'])}" + (f" ({size(dropped)} not kept)" if dropped else "")


def _wrote(call: dict[str, Any]) -> Iterator[str]:
    for name in _CHANNELS:
        if text := call.get(name):
            yield f"{name}:"
            yield from (visible(line) for line in text.splitlines())
    if call.get("is_truncated"):
        yield f"(the beginning is left out: instar calls output {call['id']})"


def _stdout() -> BinaryIO:
    return sys.stdout.buffer


COMMAND = Group(
    "calls",
    "Calls: what was run on machines, and what came of it.",
    examples=("instar calls list",),
    default="list",
    commands=[list_, show, output, cancel, signal],
)
