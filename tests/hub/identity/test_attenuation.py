"""The algebra of grants."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import instar.hub.identity
from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity.attenuation import Wanted, attenuate, is_within, outlives
from instar.hub.identity.principals import Grant
from instar.hub.identity.roots import local_root
from instar.wire.identity import Principal, PrincipalKind, Scope

scopes = st.frozensets(st.sampled_from(Scope))
names = st.one_of(st.none(), st.frozensets(st.sampled_from(["a", "b", "c", "d"])))
ends = st.one_of(st.none(), st.integers(1, 5).map(Micros))
holders = st.builds(
    Grant,
    id=st.just("key_h"),
    principal=st.just(Principal("key_h", PrincipalKind.SERVICE, "h")),
    kind=st.just("key"),
    scopes=scopes,
    agents=names,
    rooms=names,
    expires_at=ends,
)
wishes = st.builds(
    Wanted,
    kind=st.sampled_from(["key", "agent", "session"]),
    name=st.just("n"),
    scopes=scopes,
    agents=names,
    rooms=names,
    expires_at=ends,
)


def made(holder: Grant, wanted: Wanted) -> Grant | None:
    try:
        return attenuate(holder, wanted)
    except InstarError:
        return None


@given(holders, wishes)
def test_nothing_exceeds_the_holder(holder: Grant, wanted: Wanted) -> None:
    grant = made(holder, wanted)
    if grant is None:
        return
    is_admin = Scope.ADMIN in holder.scopes
    assert grant.scopes <= holder.scopes | ({Scope.OBSERVE} if is_admin else set())
    assert holder.rooms is None or (grant.rooms is not None and grant.rooms <= holder.rooms)
    if not is_admin:
        assert grant.agents is None or grant.agents <= (holder.agents or frozenset())
        assert grant.agents is not None or holder.agents is None
    assert not outlives(grant, holder)
    assert grant.parent == holder.id
    assert is_within(grant, holder)


@given(holders, wishes, wishes)
def test_narrowing_twice_is_within_the_first(holder: Grant, first: Wanted, second: Wanted) -> None:
    child = made(holder, first)
    grandchild = made(child, second) if child else None
    if grandchild:
        assert is_within(grandchild, holder)
        assert not outlives(grandchild, holder)


@given(holders, wishes)
def test_what_was_granted_is_what_was_wanted_or_narrower(holder: Grant, wanted: Wanted) -> None:
    grant = made(holder, wanted)
    if grant is None:
        return
    assert grant.scopes == wanted.scopes
    assert wanted.rooms is None or grant.rooms == wanted.rooms
    assert wanted.agents is None or grant.agents == wanted.agents
    assert wanted.expires_at is None or (grant.expires_at is not None and grant.expires_at <= wanted.expires_at)


@given(holders)
def test_a_grant_is_within_itself_and_within_the_root(holder: Grant) -> None:
    assert is_within(holder, local_root())
    assert Scope.ADMIN in holder.scopes or is_within(holder, holder)


def root_with(**changes: object) -> Grant:
    base = {"id": "key_h", "principal": Principal("key_h", PrincipalKind.SERVICE), "kind": "key"}
    return Grant(**{**base, "scopes": frozenset({Scope.WRITE}), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("holder", "wanted", "message"),
    [
        (root_with(), Wanted("key", "n", frozenset({Scope.ADMIN})), "needs scope admin"),
        (root_with(), Wanted("key", "n", frozenset(), frozenset({"a"})), "names agent a"),
        (root_with(rooms=frozenset({"r"})), Wanted("key", "n", frozenset(), rooms=frozenset({"s"})), "room s"),
        (local_root(), Wanted("key", "n", frozenset(), frozenset({"operator"})), "no agent may bear"),
        (local_root(), Wanted("key", "n", frozenset(), frozenset({"key_1"})), "no agent may bear"),
        (local_root(), Wanted("agent", "n", frozenset()), "exactly one agent"),
    ],
)
def test_excess_is_refused_by_name(holder: Grant, wanted: Wanted, message: str) -> None:
    with pytest.raises(InstarError, match=message):
        attenuate(holder, wanted)


def test_whose_a_grant_is() -> None:
    root = local_root()
    key = attenuate(root, Wanted("key", "n", frozenset()))
    assert key.principal == Principal(key.id, PrincipalKind.SERVICE, "n")
    assert attenuate(root, Wanted("session", "n", frozenset())).principal == root.principal
    token = attenuate(root, Wanted("agent", "Beta", frozenset(), frozenset({"beta"})))
    assert token.principal == Principal("beta", PrincipalKind.AGENT, "Beta")


def test_who_names_agents_passes_on_no_right_to_claim_others() -> None:
    holder = root_with(agents=frozenset({"a"}))
    assert attenuate(holder, Wanted("key", "n", frozenset())).agents == frozenset()


def test_grants_are_built_in_four_known_places() -> None:
    folder = Path(instar.hub.identity.__file__).parent.parent
    builders = {
        path.name for path in folder.rglob("*.py") if re.search(r"(?<![\w.])Grant\(", path.read_text(encoding="utf-8"))
    }
    assert builders == {"attenuation.py", "roots.py", "grant_table.py", "keyring.py"}
