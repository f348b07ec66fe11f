"""The dialect's scopes and ours. The dialect's are words on the wire; what decides is the grant, in our scopes."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from instar.wire.identity import Scope

READ = "operator.read"
WRITE = "operator.write"
ADMIN = "operator.admin"
APPROVALS = "operator.approvals"
PAIRING = "operator.pairing"
QUESTIONS = "operator.questions"
TALK = "operator.talk"
TALK_SECRETS = "operator.talk.secrets"

OPERATOR = "operator"
NODE = "node"
ROLES = (OPERATOR, NODE)

SCOPES: Mapping[str, frozenset[Scope]] = MappingProxyType(
    {
        READ: frozenset({Scope.OBSERVE}),
        WRITE: frozenset({Scope.WRITE, Scope.OBSERVE}),
        ADMIN: frozenset(
            {
                Scope.ADMIN, Scope.OPERATE, Scope.KEYS, Scope.DEVICES,
                Scope.APPROVE, Scope.WRITE, Scope.ATTACH, Scope.OBSERVE,
            }
        ),
        APPROVALS: frozenset({Scope.APPROVE}),
        PAIRING: frozenset({Scope.DEVICES}),
        QUESTIONS: frozenset(),
        TALK: frozenset(),
        TALK_SECRETS: frozenset(),
    }
)  # fmt: skip
"""Each of the dialect's scopes and the rights it stands for. An empty set is a scope that nobody can hold here."""

CALLING = frozenset({WRITE, ADMIN})
"""Scopes that include `node.invoke`, so that their holders may ask for calls, too. Who holds the rest of one and not
`execute` holds the scope all the same: devices that were let in before there were calls lack it."""


def ours(words: Iterable[str], role: str) -> frozenset[Scope]:
    """Return the rights that a connection cannot do without. Words that mean nothing here ask for nothing."""
    if role == NODE:
        return frozenset({Scope.NODE})
    return frozenset[Scope]().union(*(SCOPES.get(word, frozenset()) for word in words))


def besides(words: Iterable[str], role: str) -> frozenset[Scope]:
    """Return the rights that a connection uses where it has them, and is not refused without."""
    return frozenset({Scope.EXECUTE}) if role != NODE and not CALLING.isdisjoint(words) else frozenset()


def asked(words: Iterable[str], role: str) -> frozenset[Scope]:
    """Return the rights that a device asks to be let in with."""
    named = frozenset(words)
    return ours(named, role) | besides(named, role)


def theirs(scopes: frozenset[Scope]) -> list[str]:
    """Return the dialect's scopes that these rights amount to; admin implies observe.

    Making keys is no right of the dialect's: who was let in for everything but that is its admin. Nor is `execute`.
    """
    reach = scopes | {Scope.KEYS, Scope.OBSERVE} if Scope.ADMIN in scopes else scopes
    return [word for word, needed in SCOPES.items() if needed and needed <= reach]


_WORDS = {
    Scope.DEVICES: PAIRING, Scope.APPROVE: APPROVALS, Scope.WRITE: WRITE, Scope.OBSERVE: READ,
    Scope.EXECUTE: Scope.EXECUTE.value,
}  # fmt: skip
"""Of `execute` the dialect has no word: ours is said, as holding its `operator.write` may be too little."""


def word_of(missing: str) -> str:
    """Return the dialect's scope for what `hub.invoke` says is missing (`scope devices`); what it has no word for
    only an admin holds."""
    return next((word for scope, word in _WORDS.items() if missing.startswith(f"scope {scope}")), ADMIN)
