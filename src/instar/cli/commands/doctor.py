"""`instar doctor`."""

from pathlib import Path

import click

from instar.cli import exits
from instar.cli.checks.check import Scene, examine
from instar.cli.checks.report import chosen, lines
from instar.cli.checks.table import CHECKS
from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session


@command("instar doctor", "instar doctor --only grant --json")
@click.option("--only", multiple=True, metavar="ID", help="Only this check, or those of this area; may be repeated.")
@click.option("--skip", multiple=True, metavar="ID", help="Not this check or area; may be repeated.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely.")
def doctor(session: Session, *, only: tuple[str, ...], skip: tuple[str, ...], fix: bool) -> Answer:
    """Look for what is wrong, and say how to mend it.

    It changes nothing without --fix, and can be repeated at any time. Exit code 8 means that something needs mending.
    """
    scene = Scene(session, Path(session.data_dir))
    findings = [examine(check, scene, may_mend=fix) for check in chosen(CHECKS, only, skip)]
    is_degraded = any(finding.is_degrading for finding in findings)
    rows = [finding.to_document() for finding in findings]
    document = {"ok": not is_degraded, "data_dir": session.data_dir, "checks": rows}
    return Answer(document, lines(findings), rows=rows, code=exits.DEGRADED if is_degraded else exits.OK)


COMMAND = doctor
