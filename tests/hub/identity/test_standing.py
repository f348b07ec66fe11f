import pytest

from instar.base.clock import Micros
from instar.hub.identity.grant_table import StoredGrant
from instar.hub.identity.keyring import Keyring
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import Caller, Grant
from instar.hub.identity.roots import anonymous_here, local_root, shared_root
from instar.hub.identity.standing import lasting_grant, standing
from instar.wire.identity import Principal, PrincipalKind, Scope

NOW = Micros(1_000_000)


def grant(grant_id: str, expires_at: int | None = None, kind: str = "key", parent: str = "") -> Grant:
    who = Principal(grant_id, PrincipalKind.SERVICE, "")
    end = None if expires_at is None else Micros(expires_at)
    return Grant(grant_id, who, kind, frozenset((Scope.WRITE,)), expires_at=end, parent=parent)


def held(*grants: Grant) -> Keyring:
    keyring = Keyring()
    keyring.load(StoredGrant(each, "", f"hash of {each.id}", "", NOW) for each in grants)
    return keyring


@pytest.mark.parametrize(("expires_at", "holds"), [(None, True), (NOW + 1, True), (NOW, False), (NOW - 1, False)])
def test_a_grant_stands_until_its_time(expires_at: int | None, holds: bool):
    keyring = held(grant("key_1", expires_at))
    caller = standing(keyring, AuthPolicy(), "key_1", NOW)
    assert (caller is not None) == holds
    assert caller is None or (caller.grant.id == "key_1" and not caller.is_local)


def test_what_was_never_given_or_is_gone_does_not_stand():
    assert standing(held(), AuthPolicy(), "key_1", NOW) is None


def test_what_the_policy_gives_stands_as_long_as_it_gives_it():
    assert standing(held(), AuthPolicy(mode="none"), "anonymous", NOW) == Caller(anonymous_here(), is_local=True)
    assert standing(held(), AuthPolicy(), "anonymous", NOW) is None
    assert standing(held(), AuthPolicy(token="t" * 32), "shared", NOW) == Caller(shared_root())
    assert standing(held(), AuthPolicy(), "shared", NOW) is None


def test_a_session_leaves_its_lenders_grant_and_any_other_its_own():
    assert lasting_grant(Caller(grant("s1", kind="session", parent="usr_1"))) == "usr_1"
    assert lasting_grant(Caller(grant("key_1", parent="local"))) == "key_1"
    assert lasting_grant(Caller(local_root())) == "local"
