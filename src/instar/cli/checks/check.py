"""The shape of a check and of what it finds. A check looks and changes nothing; only its `mend` does."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from instar.base.errors import InstarError
from instar.cli.session import Session
from instar.client.errors import HubError
from instar.client.http import JsonObject

PROBE_S = 3.0
"""How long a check waits for the hub."""


class Severity(enum.StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Status(enum.StrEnum):
    """How a check came out."""

    OK = "ok"
    FOUND = "found"
    MENDED = "mended"
    SKIPPED = "skipped"


class NotApplicableError(Exception):
    """The check has nothing to look at; its text says why."""


@dataclass(slots=True)
class Scene:
    """What the checks look at.

    Args:
        session: The hub and the environment.
        data_dir: The data directory.
    """

    session: Session
    data_dir: Path
    _status: JsonObject | HubError | None = field(default=None)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment."""
        return self.session.environ

    def hub(self, operation: str) -> JsonObject:
        """Ask the hub.

        Raises:
            HubError: Its answer, or that there is none.
        """
        return self.session.client_within(PROBE_S).invoke(operation)

    def status(self) -> JsonObject:
        """Return the running hub's vital signs, asked for once.

        Raises:
            NotApplicableError: No hub answers, or it does not tell this caller.
        """
        if self._status is None:
            try:
                self._status = self.hub("hub.status")
            except HubError as error:
                self._status = error
        if isinstance(self._status, HubError):
            raise NotApplicableError(self._status.message)
        return self._status


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong.

    Args:
        id: Stable name, `area.thing`.
        severity: How much it matters when it is.
        title: What is checked, in a few words.
        fix: The one thing to do about it.
        probe: Returns the cause, or nothing when all is well; raises `NotApplicableError`.
        mend: What `--fix` does about it; doing it twice does no more than once.
    """

    id: str
    severity: Severity
    title: str
    fix: str
    probe: Callable[[Scene], str]
    mend: Callable[[Scene], None] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check came out."""

    check: Check
    status: Status
    cause: str

    @property
    def is_degrading(self) -> bool:
        """Whether it makes `doctor` exit with 8."""
        return self.status is Status.FOUND and self.check.severity is not Severity.INFO

    def to_document(self) -> JsonObject:
        """Return it as JSON."""
        found = self.status is Status.FOUND
        return {
            "id": self.check.id,
            "status": self.status,
            "severity": self.check.severity,
            "title": self.check.title,
            "cause": self.cause,
            "fix": self.check.fix if found else "",
            "fixable": found and self.check.mend is not None,
        }


def examine(check: Check, scene: Scene, *, may_mend: bool) -> Finding:
    """Run one check, and mend what it finds if that is wanted and known how."""
    try:
        cause = check.probe(scene)
        if not cause:
            return Finding(check, Status.OK, "")
        if may_mend and check.mend is not None:
            check.mend(scene)
            if not check.probe(scene):
                return Finding(check, Status.MENDED, cause)
    except NotApplicableError as reason:
        return Finding(check, Status.SKIPPED, str(reason))
    except InstarError as error:
        cause = error.message
    except OSError as error:
        cause = f"it could not be checked: {error}"
    return Finding(check, Status.FOUND, cause)
