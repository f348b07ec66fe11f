"""The algebra of grants against a model of what a grant allows, over every kind: nothing that is made is ever wider.

`INSTAR_FAULTS_LONG=1` throws a million chains instead of a few thousand.
"""

import os
import random
from dataclasses import replace
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity.attenuation import Wanted, attenuate, confine, is_within, outlives
from instar.hub.identity.principals import Grant, GrantKind
from instar.hub.identity.roots import anonymous_anywhere, anonymous_here, local_root, shared_root
from instar.wire.identity import Principal, PrincipalKind, Scope

NAMES = ("a", "b", "c")
LATER = "any other"
"""Stands for every agent or room that nobody has named yet."""
EVER = Micros(9)
PASSED_ON = ("key", "agent", "session", "device", "person")
IS_LONG = os.environ.get("INSTAR_FAULTS_LONG") == "1"
CHAINS = 1_000_000 if IS_LONG else 2_000


class Reach(NamedTuple):
    """What a grant allows, spelt out; the sets of a narrower grant lie within those of a wider one."""

    scopes: frozenset[Scope]
    rooms: frozenset[str]
    speaks_as: frozenset[str]
    claims: frozenset[str]
    until: frozenset[int]

    def within(self, other: "Reach") -> bool:
        return all(mine <= theirs for mine, theirs in zip(self, other, strict=True))


def reach_of(grant: Grant) -> Reach:
    """Read off a grant what it allows, by the words of its docstrings and not by the code under test."""
    is_admin = Scope.ADMIN in grant.scopes
    everything = frozenset((*NAMES, LATER))
    return Reach(
        grant.scopes | ({Scope.OBSERVE} if is_admin else frozenset()),
        everything if grant.rooms is None else grant.rooms,
        everything if is_admin else grant.agents or frozenset(),
        frozenset({LATER}) if is_admin or grant.agents is None else frozenset(),
        frozenset(range(EVER if grant.expires_at is None else grant.expires_at)),
    )


def passed_on(holder: Grant, wanted: Wanted) -> Grant | None:
    try:
        return attenuate(holder, wanted)
    except InstarError as error:
        if error.code not in {"forbidden", "bad_request"}:
            raise
        return None


def check_passing_on(holder: Grant, wanted: Wanted) -> Grant | None:
    """Check everything that one passing on promises; return what came of it."""
    made = passed_on(holder, wanted)
    if made is None:
        return None
    assert reach_of(made).within(reach_of(holder))
    assert is_within(made, holder)
    assert not outlives(made, holder)
    assert (made.kind, made.parent, made.id) == (wanted.kind, holder.id, wanted.id)
    assert (made.scopes, made.rooms) == (wanted.scopes, holder.rooms if wanted.rooms is None else wanted.rooms)
    again = passed_on(made, wanted)
    if again is not None:
        assert reach_of(again) == reach_of(made)
    return made


def check_confining(grant: Grant, asked: frozenset[Scope]) -> Grant:
    """Check everything that confining a connection promises; return the grant as the connection uses it."""
    used = confine(grant, asked)
    assert used.scopes <= asked
    assert reach_of(used).within(reach_of(grant))
    assert confine(used, asked) == used
    assert replace(used, scopes=grant.scopes) == grant
    return used


def check_chain(root: Grant, wishes: list[Wanted], asked: frozenset[Scope]) -> None:
    """Pass on again and again, each time through a connection that asked for less: all stays within the root."""
    holder, above = root, [root]
    for wanted in wishes:
        made = check_passing_on(check_confining(holder, asked), wanted)
        if made is None:
            continue
        for higher in above:
            assert reach_of(made).within(reach_of(higher))
            assert is_within(made, higher)
            assert not outlives(made, higher)
        above.append(made)
        holder = made


def check_order(one: Grant, two: Grant, three: Grant) -> None:
    """`is_within` and `outlives` are what the model says, and so is_within is an order."""
    timeless = [reach_of(grant)._replace(until=frozenset()) for grant in (one, two)]
    assert is_within(one, two) == timeless[0].within(timeless[1])
    assert outlives(one, two) == (not reach_of(one).until <= reach_of(two).until)
    assert is_within(one, one)
    if is_within(one, two) and is_within(two, three):
        assert is_within(one, three)


scopes = st.frozensets(st.sampled_from(Scope))
names = st.one_of(st.none(), st.frozensets(st.sampled_from(NAMES)))
ends = st.one_of(st.none(), st.integers(1, EVER - 1).map(Micros))
principals = st.sampled_from(PrincipalKind).map(lambda kind: Principal("somebody", kind, "S"))
made_up = st.builds(
    Grant, id=st.just("key_h"), principal=principals, kind=st.sampled_from(get_args(GrantKind)),
    scopes=scopes, agents=names, rooms=names, expires_at=ends,
)  # fmt: skip
roots = st.sampled_from([local_root(), shared_root(), anonymous_here(), anonymous_anywhere()])
grants = st.one_of(made_up, roots)
wishes = st.builds(
    Wanted, kind=st.sampled_from(PASSED_ON), name=st.just("n"), scopes=scopes, agents=names, rooms=names,
    expires_at=ends, principal=st.one_of(st.none(), principals),
)  # fmt: skip


@given(grants, wishes)
def test_nothing_that_is_passed_on_is_wider(holder: Grant, wanted: Wanted) -> None:
    check_passing_on(holder, wanted)


@given(grants, scopes)
def test_a_connection_is_never_wider_than_its_grant(grant: Grant, asked: frozenset[Scope]) -> None:
    check_confining(grant, asked)


@given(grants, st.lists(wishes, min_size=2, max_size=5), scopes)
def test_a_chain_of_any_length_stays_within_its_root(
    root: Grant, wanted: list[Wanted], asked: frozenset[Scope]
) -> None:
    check_chain(root, wanted, asked)


@given(grants, grants, grants)
def test_being_within_is_an_order_and_is_what_the_words_say(one: Grant, two: Grant, three: Grant) -> None:
    check_order(one, two, three)


@given(grants, wishes)
def test_a_grant_of_somebody_else_names_whom(holder: Grant, wanted: Wanted) -> None:
    made = passed_on(holder, wanted)
    if wanted.kind in ("device", "person"):
        assert made is None or made.principal == wanted.principal is not None
    elif made is not None and wanted.kind == "session":
        assert made.principal == holder.principal


class Dice:
    """Throws grants and wishes much faster than a strategy draws them; a failure prints what was thrown."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._scopes = tuple(Scope)

    def scopes(self) -> frozenset[Scope]:
        bits = self._random.getrandbits(len(self._scopes))
        return frozenset(scope for place, scope in enumerate(self._scopes) if bits >> place & 1)

    def names(self) -> frozenset[str] | None:
        bits = self._random.getrandbits(len(NAMES) + 1)
        return None if bits & 1 else frozenset(name for place, name in enumerate(NAMES, 1) if bits >> place & 1)

    def end(self) -> Micros | None:
        return self._random.choice((None, *map(Micros, range(1, EVER))))

    def grant(self) -> Grant:
        kind = self._random.choice(get_args(GrantKind))
        person = Principal("somebody", PrincipalKind.PERSON)
        return Grant("key_h", person, kind, self.scopes(), self.names(), self.names(), self.end())

    def wish(self, holder: Grant) -> Wanted:
        """Most wishes are granted, so that chains grow."""
        wanted = self.scopes() & holder.scopes if self._random.random() < 0.8 else self.scopes()
        person = Principal("somebody", PrincipalKind.PERSON)
        kind = self._random.choice(PASSED_ON)
        return Wanted(kind, "n", wanted, self.names(), self.names(), self.end(), "key_w", person)  # type: ignore[arg-type]


def throw(seed: int, count: int) -> int:
    """Check so many random chains and orders; return how many grants were made."""
    dice, made = Dice(seed), 0
    for _ in range(count):
        root = dice.grant()
        first = check_passing_on(check_confining(root, dice.scopes() | root.scopes), dice.wish(root))
        second = check_passing_on(check_confining(first, dice.scopes()), dice.wish(first)) if first else None
        if first and second:
            assert reach_of(second).within(reach_of(root))
            assert is_within(second, root)
        check_order(first or dice.grant(), root, dice.grant())
        check_order(dice.grant(), dice.grant(), dice.grant())
        made += bool(first) + bool(second)
    return made


@pytest.mark.timeout(0 if IS_LONG else 60)
def test_thrown_chains() -> None:
    seed = random.SystemRandom().getrandbits(64) if IS_LONG else 1
    assert throw(seed, CHAINS) > CHAINS // 2, seed
