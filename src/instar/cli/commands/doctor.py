"""`instar doctor`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from instar.cli import exits
from instar.cli.checks.check import Check, Finding, Scene, Status, examine
from instar.cli.checks.table import CHECKS
from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import nearest
from instar.client.errors import HubError

_MARKS = {Status.OK: "ok", Status.FOUND: "!!", Status.MENDED: "++", Status.SKIPPED: "--"}


@command("instar doctor", "instar doctor --only grant --json")
@click.option("--only", multiple=True, metavar="ID", help="Only this check, or those of this area; may be repeated.")
@click.option("--skip", multiple=True, metavar="ID", help="Not this check or area; may be repeated.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely.")
def doctor(session: Session, *, only: tuple[str, ...], skip: tuple[str, ...], fix: bool) -> Answer:
    """Look for what is wrong, and say how to mend it.

    It changes nothing without --fix, and can be repeated at any time. Exit code 8 means that something needs mending.
    """
    scene = Scene(session, Path(session.data_dir))
    findings = [examine(check, scene, may_mend=fix) for check in _chosen(only, skip)]
    is_degraded = any(finding.is_degrading for finding in findings)
    rows = [finding.to_document() for finding in findings]
    document = {"ok": not is_degraded, "data_dir": session.data_dir, "checks": rows}
    return Answer(document, _lines(findings), rows=rows, code=exits.DEGRADED if is_degraded else exits.OK)


def _chosen(only: Sequence[str], skip: Sequence[str]) -> list[Check]:
    for wanted in (*only, *skip):
        if not any(_matches(check, [wanted]) for check in CHECKS):
            near = nearest(wanted, [check.id for check in CHECKS])
            hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar doctor --json"
            raise HubError("usage", f"there is no check {wanted!r}", hint=hint)
    return [check for check in CHECKS if (not only or _matches(check, only)) and not _matches(check, skip)]


def _matches(check: Check, wanted: Sequence[str]) -> bool:
    return any(check.id == name or check.id.startswith(f"{name}.") for name in wanted)


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{_mark(finding)}  {finding.check.id:<15} {finding.check.title}"
        if finding.cause:
            yield f"    {finding.cause}"
        if finding.status is Status.FOUND:
            yield f"    {finding.check.fix}"
    found = sum(finding.status is Status.FOUND for finding in findings)
    yield f"{len(findings)} checks, {found} found something." if found else f"{len(findings)} checks, all is well."


def _mark(finding: Finding) -> str:
    color = {Status.OK: "green", Status.MENDED: "green", Status.SKIPPED: "yellow"}
    found = "red" if finding.is_degrading else "yellow"
    return click.style(_MARKS[finding.status], fg=color.get(finding.status, found))


COMMAND = doctor
