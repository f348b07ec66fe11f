"""How checks are chosen, and what is said of how they came out."""

from collections.abc import Iterator, Sequence

import click

from instar.cli.texts import nearest
from instar.client.errors import HubError

from .check import Check, Finding, Status

_MARKS = {Status.OK: "ok", Status.FOUND: "!!", Status.MENDED: "++", Status.SKIPPED: "--"}


def chosen(checks: Sequence[Check], only: Sequence[str], skip: Sequence[str]) -> list[Check]:
    """Return the checks with these ids or of these areas.

    Raises:
        HubError: `usage` for an id that is none, with a near one.
    """
    for wanted in (*only, *skip):
        if not any(_matches(check, [wanted]) for check in checks):
            near = nearest(wanted, [check.id for check in checks])
            hint = f"Did you mean {' or '.join(near)}?" if near else "See all with --json."
            raise HubError("usage", f"there is no check {wanted!r}", hint=hint)
    return [check for check in checks if (not only or _matches(check, only)) and not _matches(check, skip)]


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what people read."""
    width = max((len(finding.check.id) for finding in findings), default=0)
    for finding in findings:
        yield f"{_mark(finding)}  {finding.check.id:<{width}} {finding.check.title}"
        if finding.cause:
            yield f"    {finding.cause}"
        if finding.status is Status.FOUND:
            yield f"    {finding.check.fix}"
    found = sum(finding.status is Status.FOUND for finding in findings)
    mended = sum(finding.status is Status.MENDED for finding in findings)
    said = [f"{found} found something"] * bool(found) + [f"{mended} mended"] * bool(mended)
    yield f"{len(findings)} checks, {', '.join(said) or 'all is well'}."


def _matches(check: Check, wanted: Sequence[str]) -> bool:
    return any(check.id == name or check.id.startswith(f"{name}.") for name in wanted)


def _mark(finding: Finding) -> str:
    color = {Status.OK: "green", Status.MENDED: "green", Status.SKIPPED: "yellow"}
    found = "red" if finding.is_degrading else "yellow"
    return click.style(_MARKS[finding.status], fg=color.get(finding.status, found))
