"""Where a call goes: a pure function over the choices that were made and the targets there are.

The first of call, room, agent and org that is set decides, alone: what it names is the target or an error, never a
reason to ask the next one. Nothing set: `local`, where that is not forbidden. docs/routing.md has the truth table.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from instar.base.errors import InstarError
from instar.wire.calls import CallError, RouteStep

from .labels import parse_selector

LOCAL = "local"
SSH = "ssh"
"""The choice that means the default SSH target."""


_EXPRESSION = re.compile(r"[=!]|\b(?:not)?in\s*\(")


def means_another(name: str) -> bool:
    """Whether a choice of this name means something else than a node: `local`, an SSH target, an expression."""
    folded = name.strip().casefold()
    return folded in (LOCAL, SSH) or folded.startswith("ssh:") or _EXPRESSION.search(folded) is not None


class TargetFacts(NamedTuple):
    """What routing knows of a target."""

    id: str
    name: str
    kind: str
    """`local`, `node` or `ssh`."""
    labels: dict[str, str]
    is_connected: bool
    aliases: tuple[str, ...] = ()
    """Other names that it answers to."""
    is_default: bool = False
    """The default SSH target, which the choice `ssh` means."""
    load: float = 0.0
    """Calls under way; of several that fit, the least loaded is chosen."""


class KnownTargets(Protocol):
    """The targets there are. Most calls name one by its id: that is looked up, and nothing is said of the others."""

    def find(self, target_id: str, /) -> TargetFacts | None:
        """Return the one with exactly this id, or None."""
        ...

    def facts(self) -> Sequence[TargetFacts]:
        """Return all of them, connected or not."""
        ...


class Listed(NamedTuple):
    """A few targets, as `KnownTargets`."""

    targets: Sequence[TargetFacts]

    def find(self, target_id: str, /) -> TargetFacts | None:
        """Return the one with exactly this id, or None."""
        return next((each for each in self.targets if each.id == target_id), None)

    def facts(self) -> Sequence[TargetFacts]:
        """Return all of them."""
        return self.targets


class Choices(NamedTuple):
    """What was chosen at each row of the truth table; empty: nothing."""

    call: str = ""
    room: str = ""
    agent: str = ""
    org: str = ""


class Routed(NamedTuple):
    """Where a call goes. With error `node_away` the target is there as well: a call may wait for it."""

    target: TargetFacts | None
    by: str
    steps: list[RouteStep]
    error: CallError | None = None


class _Found(NamedTuple):
    target: TargetFacts | None
    verdict: str
    error: CallError | None = None


def route(choices: Choices, targets: KnownTargets, *, is_local_forbidden: bool = False) -> Routed:
    """Decide where a call goes, by which row, and say of each row what it said.

    Guarantees that a row that is set is obeyed or is an error, and that nothing is chosen that nobody chose.
    """
    rows = zip(("call", "room", "agent", "org", LOCAL), (*(each.strip() for each in choices), LOCAL), strict=True)
    steps: list[RouteStep] = []
    decided: Routed | None = None
    for by, wanted in rows:
        if decided is not None:
            steps.append(RouteStep(by, wanted, "not asked" if wanted else "not set"))
        elif not wanted:
            steps.append(RouteStep(by, "", "not set"))
        else:
            found = _find(wanted, targets, is_local_forbidden)
            steps.append(RouteStep(by, wanted, found.verdict))
            decided = Routed(found.target, by, steps, found.error)
    assert decided is not None, "the last row is always set"
    return decided


def _find(wanted: str, known: KnownTargets, is_local_forbidden: bool) -> _Found:
    if wanted.lower() == LOCAL:
        return _local(known, is_local_forbidden)
    if (exact := known.find(wanted)) is not None:
        return _only(wanted, [exact], known, is_local_forbidden)
    targets = known.facts()
    for fits in (_by_alias(wanted), _by_name(wanted), _by_ssh(wanted)):
        found = [each for each in targets if fits(each)]
        if found:
            return _only(wanted, found, known, is_local_forbidden)
    if wanted == SSH:
        return _no_target("there is no default SSH target", "Choose one with `instar ssh default TARGET`.")
    if wanted.startswith("ssh:"):
        return _no_target(f"there is no SSH target {wanted[4:]!r}", "`instar ssh list` shows them.")
    return _by_labels(wanted, targets, is_local_forbidden)


def _only(wanted: str, found: Sequence[TargetFacts], known: KnownTargets, is_local_forbidden: bool) -> _Found:
    if len(found) > 1:
        ids = ", ".join(sorted(each.id for each in found))
        return _no_target(f"{wanted!r} means several: {ids}", "Name one by its id.")
    return _chosen(found[0]) if found[0].kind != LOCAL else _local(known, is_local_forbidden)


Fits = Callable[[TargetFacts], bool]


def _by_alias(wanted: str) -> Fits:
    return lambda target: wanted in target.aliases


def _by_name(wanted: str) -> Fits:
    folded = wanted.casefold()
    return lambda target: target.name.casefold() == folded


def _by_ssh(wanted: str) -> Fits:
    if wanted == SSH:
        return lambda target: target.kind == SSH and target.is_default
    label = wanted[4:].casefold() if wanted.startswith("ssh:") else ""
    return lambda target: bool(label) and target.kind == SSH and target.name.casefold() == label


def _by_labels(wanted: str, targets: Sequence[TargetFacts], is_local_forbidden: bool) -> _Found:
    try:
        selector = parse_selector(wanted)
    except InstarError:
        return _no_target(f"no node has the id or name {wanted!r}, and it is no label expression", _LISTING)
    fitting = [each for each in targets if selector.matches(each.labels)]
    if is_local_forbidden:
        fitting = [each for each in fitting if each.kind != LOCAL]
    if not fitting:
        return _no_target(f"no node has the id, name or labels {wanted!r}", _LISTING)
    order = sorted(fitting, key=lambda each: (not each.is_connected, each.load, each.name.casefold(), each.id))
    return _chosen(order[0])


def _local(known: KnownTargets, is_forbidden: bool) -> _Found:
    if is_forbidden:
        return _no_target(
            "calls on the hub's own machine are forbidden here", "Name a node, or choose one with `instar route set`."
        )
    own = known.find(LOCAL)
    if own is not None and own.kind == LOCAL:
        return _chosen(own)
    return _no_target("the hub's own machine serves no calls", "Name a node, or choose one with `instar route set`.")


def _chosen(target: TargetFacts) -> _Found:
    if target.is_connected:
        return _Found(target, f"chosen: {target.name or target.id}")
    verdict = f"{target.name or target.id} is not connected"
    return _Found(target, verdict, CallError("node_away", verdict))


def _no_target(message: str, hint: str) -> _Found:
    return _Found(None, message, CallError("no_target", message, hint))


_LISTING = "`instar node list` and `instar ssh list` show what there is."
