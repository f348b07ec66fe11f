"""The shape of a check and of what it finds. A check looks and changes nothing; only its `mend` does."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instar.base.errors import InstarError
from instar.cli.session import Session
from instar.client.errors import HubError
from instar.client.http import JsonObject

if TYPE_CHECKING:
    from instar.hub.settings.binding import Address
    from instar.hub.settings.load import Loaded

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
    _answers: dict[str, JsonObject | HubError] = field(default_factory=dict[str, "JsonObject | HubError"])
    _loaded: "Loaded | None" = None

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

    def told(self, operation: str) -> JsonObject:
        """Return what the hub answers, asked for once.

        Raises:
            NotApplicableError: No hub answers, or it does not tell this caller.
        """
        if operation not in self._answers:
            try:
                self._answers[operation] = self.hub(operation)
            except HubError as error:
                self._answers[operation] = error
        answer = self._answers[operation]
        if isinstance(answer, HubError):
            raise NotApplicableError(answer.message)
        return answer

    def status(self) -> JsonObject:
        """Return the running hub's vital signs; as `told`."""
        return self.told("hub.status")

    def loaded(self) -> "Loaded":
        """Return the settings that `instar start` would start with here.

        Raises:
            NotApplicableError: They do not load; a check of their own says why.
        """
        from instar.hub.settings.load import load  # noqa: PLC0415 - the hub's settings, only where they are checked

        if self._loaded is None:
            try:
                self._loaded = load({}, self.environ)
            except InstarError as error:
                raise NotApplicableError(error.message) from error
        return self._loaded

    def setting(self, key: str) -> Any:  # noqa: ANN401 - the value of any setting
        """Return what a setting is: of the hub that runs, else of the one that would start here.

        Raises:
            NotApplicableError: Neither can be read.
        """
        try:
            known = self.told("settings.list")["settings"]
        except NotApplicableError:
            return self.loaded().value(key)
        return next((each["value"] for each in known if each["key"] == key), None)

    def addresses(self) -> "list[Address]":
        """Return every address that the settings listen on.

        Raises:
            NotApplicableError: They cannot be read.
        """
        from instar.hub.settings.binding import parse_address  # noqa: PLC0415 - as above

        return [parse_address(text) for text in (self.setting("listen.address"), *self.setting("listen.compat"))]


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
        cause = _cause(check, scene)
        if cause and may_mend and check.mend is not None:
            check.mend(scene)
            if not _cause(check, scene):
                return Finding(check, Status.MENDED, cause)
    except NotApplicableError as reason:
        return Finding(check, Status.SKIPPED, str(reason))
    except OSError as error:
        cause = f"it could not be mended: {error}"
    return Finding(check, Status.FOUND if cause else Status.OK, cause)


def _cause(check: Check, scene: Scene) -> str:
    """Return what a check finds; what its probe stumbles over is a finding too."""
    try:
        return check.probe(scene)
    except InstarError as error:
        return error.message
    except OSError as error:
        return f"it could not be checked: {error}"
