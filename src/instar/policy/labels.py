"""Label expressions: `gpu=yes,os!=darwin,arch in (arm64, x86_64),!retired`; a comma is and."""

import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from instar.base.errors import InstarError

_KEY = r"[A-Za-z0-9][A-Za-z0-9_.\-/]*"
_VALUE = r"[A-Za-z0-9_.\-/:@+]*"
_TERM = re.compile(
    rf"\s*(?:(?P<no>!)\s*(?P<absent>{_KEY})|(?P<key>{_KEY})\s*"
    rf"(?:(?P<op>==?|!=)\s*(?P<value>{_VALUE})|(?P<set>in|notin)\s*\(\s*(?P<values>{_VALUE}(?:\s*,\s*{_VALUE})*)\s*\))?)"
    r"\s*(?:,|$)"
)


class Requirement(NamedTuple):
    """One term: the label's value must be one of these; `values` None: the label must be there at all."""

    key: str
    values: frozenset[str] | None
    is_negated: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it. A label that is not there differs from every value."""
        value = labels.get(self.key)
        found = value is not None if self.values is None else value in self.values
        return found is not self.is_negated


class Selector(NamedTuple):
    """What labels must be."""

    text: str
    requirements: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether every term holds."""
        return all(each.holds(labels) for each in self.requirements)


def parse_selector(text: str) -> Selector:
    """Read a label expression.

    Raises:
        InstarError: `unprocessable_entity`: it says where it goes wrong.
    """
    found: list[Requirement] = []
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None or term.end() == at:
            _refuse(text, f"{text[at:]!r} is no term")
        found.append(_requirement(term))
        at = term.end()
    if not found or text.rstrip().endswith(","):
        _refuse(text, "a term is missing")
    return Selector(text, tuple(found))


def _requirement(term: "re.Match[str]") -> Requirement:
    if term["absent"]:
        return Requirement(term["absent"], None, True)
    if term["set"]:
        values = frozenset(value.strip() for value in term["values"].split(","))
        return Requirement(term["key"], values, term["set"] == "notin")
    if term["op"]:
        return Requirement(term["key"], frozenset((term["value"],)), term["op"] == "!=")
    return Requirement(term["key"], None, False)


def _refuse(text: str, problem: str) -> NoReturn:
    raise InstarError(
        "unprocessable_entity", f"the label expression {text!r} cannot be read: {problem}",
        hint="Write it as `gpu=yes,os!=darwin,arch in (arm64,x86_64),!retired`.",
    )  # fmt: skip
