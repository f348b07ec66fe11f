"""`instar security …`: what makes this hub easier to break into than it must be."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from instar.cli import exits
from instar.cli.checks.check import Scene, Status, examine
from instar.cli.checks.report import chosen, lines
from instar.cli.checks.security.table import CHECKS
from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session


@command("instar security audit --skip pairing --skip devices", "instar security audit --only fs --fix --json")
@click.option("--only", multiple=True, metavar="ID", help="Only this check, or those of this area; may be repeated.")
@click.option("--skip", multiple=True, metavar="ID", help="Not this check or area; may be repeated.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely: the modes of files.")
def audit(session: Session, *, only: tuple[str, ...], skip: tuple[str, ...], fix: bool) -> Answer:
    """Look for what makes the hub easier to break into than it must be.

    It runs on the hub's own machine, and asks the hub if it runs. It changes nothing without --fix, and can be repeated
    at any time. Exit code 8 means that something should be mended.
    """
    scene = Scene(session, Path(session.data_dir))
    findings = [examine(check, scene, may_mend=fix) for check in chosen(CHECKS, only, skip)]
    is_degraded = any(finding.is_degrading for finding in findings)
    found = Counter(finding.check.severity for finding in findings if finding.status is Status.FOUND)
    rows = [finding.to_document() for finding in findings]
    document = {
        "ok": not is_degraded,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "summary": {severity.value: count for severity, count in sorted(found.items())},
        "checks": rows,
    }
    return Answer(document, lines(findings), rows=rows, code=exits.DEGRADED if is_degraded else exits.OK)


COMMAND = Group(
    "security",
    "Security: what makes the hub easier to break into than it must be.",
    examples=("instar security audit --only fs",),
    default="audit",
    commands=[audit],
)
