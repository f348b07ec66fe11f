"""`instar approvals …`: calls that wait for a person, and deciding about them."""

from collections.abc import Iterator
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer, Stream
from instar.cli.session import Session
from instar.cli.texts import relative, table, visible
from instar.client.errors import HubError

from .approval_rules import RULES, judge

STATES = ("pending", "approved", "denied", "expired", "cancelled")
_WAIT_S = 20.0
"""How long one look for something new takes; the hub answers as soon as there is."""
_WIDTH = 60
_APPROVAL = click.argument("approval", required=False)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_DIGEST = click.option(
    "--digest", default="", help="Decide only if this is still the digest: what was shown to you elsewhere."
)


@command("instar approvals list", "instar approvals list --all --json", name="list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.  [default: pending]")
@click.option("--all", "is_all", is_flag=True, help="Those that were decided as well.")
@click.option("--room", default="", metavar="ROOM", help="Only those of this room, for example room:general.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
def list_(session: Session, *, state: str | None, is_all: bool, room: str, limit: int) -> Answer:
    """List what waits for an approval.

    COMMAND is shortened here; `instar approvals show` shows all of it, and nothing is decided without.
    """
    wanted = state or "pending"
    found = session.invoke("approvals.list", state=wanted, all=is_all or None, room=room, limit=limit)
    empty = "Nothing waits for an approval." if wanted == "pending" and not is_all else "There is none."
    heads = ("APPROVAL", "STATE", "FOR", "ON", "COMMAND", "ENDS")
    return Answer(found, table(heads, map(_row, found["approvals"]), empty=empty), rows=found["approvals"])


@command("instar approvals show")
@_APPROVAL
def show(session: Session, approval: str | None) -> Answer:
    """Show all of one approval, as it would be decided.

    APPROVAL is its id, or the id of its call; it may be left out while one waits.
    """
    found = _wanted(session, approval)
    return Answer(found, shown(found))


@command("instar approvals approve --yes", "instar approvals approve --always --expires 8h --yes")
@_APPROVAL
@click.option("--always", is_flag=True, help="Remember the rules that are shown with it.")
@click.option("--expires", type=DURATION, metavar="8h", help="With --always: the rules end after this time.")
@_DIGEST
@_YES
def approve(
    session: Session, approval: str | None, *, always: bool, expires: float | None, digest: str, yes: bool
) -> Answer:
    """Let a call run.

    Exactly as it is shown, and once. APPROVAL is its id, or the id of its call; it may be left out while one waits.
    With --always the rules that would be remembered are shown first, in words; a dangerous or unclear call has none.
    """
    found = _wanted(session, approval)
    if expires is not None and not always:
        raise HubError("usage", "--expires is about rules", hint="Add --always, or leave it out.")
    if always and not found.get("rules"):
        raise HubError(
            "conflict", "this cannot become a rule: it is dangerous, unclear, or not bound to what is shown",
            hint="Approve it once, without --always.",
        )  # fmt: skip
    _check(found, digest)
    _tell(session, found)
    question = "Remember these rules, and let it run?" if always else "Let exactly this run, once?"
    session.confirm(question, yes=yes)
    done = session.invoke(
        "approvals.approve",
        approval_id=found["id"],
        digest=found["digest"],
        always=always or None,
        expires_in_s=expires,
    )
    lines = [f"Approved {_brief(done)} on {visible(done['target_name'])}."]
    return Answer(done, [*lines, *(f"Remembered: {visible(text)}" for text in done.get("rule_texts", []) if always)])


@command("instar approvals deny --feedback 'use a branch' --yes")
@_APPROVAL
@click.option("--feedback", default="", metavar="TEXT", help="Why; an agent's model reads it.")
@_DIGEST
@_YES
def deny(session: Session, approval: str | None, *, feedback: str, digest: str, yes: bool) -> Answer:
    """Refuse to let a call run.

    APPROVAL is its id, or the id of its call; it may be left out while one waits.
    """
    found = _wanted(session, approval)
    _check(found, digest)
    session.confirm(f"Deny {_brief(found)}?", yes=yes)
    done = session.invoke("approvals.deny", approval_id=found["id"], digest=found["digest"], feedback=feedback)
    return Answer(done, [f"Denied {_brief(done)}."])


@command("instar approvals watch --limit 1")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many.")
@click.option("--room", default="", metavar="ROOM", help="Only those of this room.")
def watch(session: Session, *, limit: int | None, room: str) -> Stream:
    """Show what waits, and what comes to wait, until it is interrupted. With --json each line is one approval."""
    return Stream(_waiting(session, room, limit), lambda found: "\n".join([*shown(found), ""]))


def _waiting(session: Session, room: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield each approval that waits, once."""
    client = session.client_within(session.timeout_s + _WAIT_S)
    seen: set[str] = set()
    query: dict[str, Any] = {"limit": 500, **({"room": room} if room else {})}
    while True:
        found = client.invoke("approvals.list", {**query, "wait": _WAIT_S})["approvals"]
        fresh = [each for each in found if each["id"] not in seen]
        for each in fresh:
            seen.add(each["id"])
            yield each
            if limit is not None and len(seen) >= limit:
                return
        if found and not fresh:
            _pause(session)


def _pause(session: Session) -> None:
    """Wait a little: while something waits already, the hub answers at once."""
    import time  # noqa: PLC0415 - one command alone waits

    time.sleep(min(1.0, session.timeout_s))


def shown(approval: dict[str, Any]) -> list[str]:
    """Return all of an approval as people read it, the rules that `--always` would remember among it."""
    from instar.cli.execution.asking import lines  # noqa: PLC0415 - help needs none of it

    state = approval["state"]
    head, *rest = lines(approval)
    if state != "pending":
        head = f"This call was {state}{_by(approval)}."
    rules = [visible(text) for text in approval.get("rule_texts", [])] or ["It cannot become a rule."]
    extra = [f"  {'Always is' if at == 0 else '':<10} {text}" for at, text in enumerate(rules)]
    if approval.get("feedback"):
        extra.append(f"  {'Because':<10} {visible(approval['feedback'])}")
    return [head, f"  {'Approval':<10} {approval['id']}", *rest, *extra, f"  {'Digest':<10} {approval['digest']}"]


def _by(approval: dict[str, Any]) -> str:
    by, at = approval.get("decided_by", ""), approval.get("decided_at", "")
    return f"{f' by {visible(by)}' if by else ''}{f' {relative(at)}' if at else ''}"


def _wanted(session: Session, named: str | None) -> dict[str, Any]:
    """Return the approval with this id, or the only one that waits."""
    if named:
        return session.invoke("approvals.get", approval_id=named)
    waiting: list[dict[str, Any]] = session.invoke("approvals.list")["approvals"]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        raise HubError("usage", f"{len(waiting)} calls wait for an approval", hint="Name one: instar approvals list")
    raise HubError("not_found", "nothing waits for an approval", hint="See: instar approvals list --all")


def _check(found: dict[str, Any], digest: str) -> None:
    if digest and digest != found["digest"]:
        raise HubError(
            "conflict", "it is not what that digest stands for",
            hint="Look at it again: instar approvals show", retryable=False,
        )  # fmt: skip


def _tell(session: Session, found: dict[str, Any]) -> None:
    if session.output.form == "text":
        session.output.note("\n".join(shown(found)))


def _row(approval: dict[str, Any]) -> tuple[object, ...]:
    by = approval.get("agent_id") or approval.get("requester_name") or approval["requester"]
    ends = relative(approval["expires_at"] if approval["state"] == "pending" else approval.get("decided_at", ""))
    mark = "! " if approval.get("is_dangerous") else ""
    return approval["id"], approval["state"], by, approval["target_name"], mark + _brief(approval), ends


def _brief(approval: dict[str, Any]) -> str:
    """Return the beginning of the command, for a line of its own."""
    text = " ".join(visible(approval["command"]).split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


COMMAND = Group(
    "approvals",
    "Approvals: calls that wait for a person, and the rules that decide without one.",
    examples=("instar approvals list",),
    default="list",
    commands=[list_, show, approve, deny, watch, judge, RULES],
)
