"""Who a message names (Moltnet http.v1 §1.3). IO-free.

Candidates are the explicit mentions, then what the text parts hold: `<@molt://…>`, `@name` and `@net:name`.
A bare `@molt://…` is quoted text, and an address (`someone@host`) names nobody. What is unknown or ambiguous
among the members of the conversation is dropped, never an error.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from instar.base.errors import InstarError
from instar.wire.limits import MENTIONS_MAX
from instar.wire.messages import Part, PartKind
from instar.wire.names import Network, fqid, parse_member

_CANDIDATE = re.compile(
    r"@molt://[^\s>]*"
    r"|<@(molt://[^\s>]+)>"
    r"|(?<![A-Za-z0-9%+/])(?<![A-Za-z0-9][._-])@([A-Za-z0-9][A-Za-z0-9._-]*(?::[A-Za-z0-9._:-]+|:)?)",
)
_LONGEST = 300
"""Characters after which no mention can resolve: an FQID of two ids of 128 has 271."""
_PUNCTUATION = ".-_:"
"""May end a name, and may end the sentence after it: the longer form is tried first."""


class MemberNames:
    """The members of one conversation by every form that a mention may take.

    Args:
        members: Canonical members.
        network: The local network, known by id and by name.
    """

    __slots__ = ("_by_id", "_network", "_scoped")

    def __init__(self, members: Iterable[str], network: Network) -> None:
        self._network = network
        self._scoped: set[tuple[str, str]] = set()
        self._by_id: dict[str, str] = {}
        for member in members:
            net, colon, agent = member.partition(":")
            if not colon:
                net, agent = network.id, member
            self._scoped.add((net, agent))
            # An id that two networks share names nobody until it is scoped.
            self._by_id[agent] = "" if agent in self._by_id else net

    def resolve(self, candidate: str) -> str:
        """Return the FQID of the one member that `candidate` names, or an empty text."""
        if net := self._by_id.get(candidate):
            return fqid(net, "agents", candidate)
        if ":" not in candidate:
            return ""
        named = parse_member(candidate)
        if named is None or not named.network_id:
            return ""
        net = named.network_id
        # The name of the local network is an alias of it, but an FQID holds ids only.
        if net == self._network.name and not candidate.startswith("molt://"):
            net = self._network.id
        return fqid(net, "agents", named.id) if (net, named.id) in self._scoped else ""


def candidates(text: str) -> Iterator[str]:
    """Yield what looks like a mention in `text`, in order, trailing punctuation included."""
    for match in _CANDIDATE.finditer(text):
        if found := match[1] or match[2]:
            yield found


def resolve(explicit: Sequence[str], parts: Iterable[Part], names: MemberNames) -> list[str]:
    """Return the FQIDs of the members that a message mentions, each once: explicit ones first.

    Raises:
        InstarError: `unprocessable_entity` when more than `MENTIONS_MAX` members are named.
    """
    found: dict[str, None] = {}
    for mention in explicit:
        _note(names.resolve(mention.strip().removeprefix("@")), found)
    for part in parts:
        if part.kind is PartKind.TEXT and "@" in part.text:
            for candidate in candidates(part.text):
                _note(_longest(candidate, names), found)
    if len(found) > MENTIONS_MAX:
        raise InstarError(
            "unprocessable_entity", f"{len(found)} mentions are more than {MENTIONS_MAX}", hint="Mention fewer members."
        )
    return list(found)


def _note(resolved: str, found: dict[str, None]) -> None:
    if resolved:
        found[resolved] = None


def _longest(candidate: str, names: MemberNames) -> str:
    """Resolve the longest form of `candidate`, taking punctuation off its end one character at a time."""
    candidate = candidate[:_LONGEST]
    while not (resolved := names.resolve(candidate)) and candidate[-1:] in _PUNCTUATION and candidate:
        candidate = candidate[:-1]
    return resolved
