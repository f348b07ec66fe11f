"""No way through devices makes a right wider: any ask, any approver, any grant, any connection."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity.attenuation import Wanted, attenuate, confine, is_within, outlives, reach
from instar.hub.identity.authentication import Authenticator
from instar.hub.identity.credentials import Credential
from instar.hub.identity.devices.admission import Given, wanted_of
from instar.hub.identity.devices.devices import Devices
from instar.hub.identity.grant_table import StoredGrant
from instar.hub.identity.keyring import Keyring
from instar.hub.identity.lockout import Lockout
from instar.hub.identity.notices import Notices
from instar.hub.identity.people.roster import Roster
from instar.hub.identity.policy import AuthPolicy, PairingPolicy
from instar.hub.identity.principals import Grant
from instar.hub.identity.tokens import stored_token
from instar.wire import devices as wire
from instar.wire.devices import Role
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.signatures import to_base64url

from .conftest import Device

DEVICE = Device(bytes(range(32)))
SECRET = "s3cret-" * 6

scope_sets = st.frozensets(st.sampled_from(Scope))
names = st.none() | st.frozensets(st.sampled_from(["a", "b", "c"]))
ends = st.none() | st.integers(1, 9).map(lambda second: Micros(second * 1_000_000))
roles = st.sampled_from(Role)


@st.composite
def grants(draw: Any, kind: str = "key") -> Grant:
    return Grant(
        "key_h", Principal("key_h", PrincipalKind.SERVICE, "h"), kind,  # type: ignore[arg-type]
        draw(scope_sets), draw(names), draw(names), draw(ends), "local",
    )  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(holder=grants(), asked=scope_sets, chosen=scope_sets, agents=names, rooms=names, end=ends, role=roles)
def test_what_an_approver_gives_lies_within_the_approver(
    holder: Grant,
    asked: frozenset[Scope],
    chosen: frozenset[Scope],
    agents: frozenset[str] | None,
    rooms: frozenset[str] | None,
    end: Micros | None,
    role: Role,
) -> None:
    given_ = Given(role, asked & chosen, asked - chosen, agents, rooms, end)
    wanted = wanted_of(given_, DEVICE.id, "d")
    is_within_scopes = asked & chosen <= reach(holder)
    is_within_agents = Scope.ADMIN in holder.scopes or (agents or frozenset()) <= (holder.agents or frozenset())
    is_within_rooms = rooms is None or holder.rooms is None or rooms <= holder.rooms
    if not (is_within_scopes and is_within_agents and is_within_rooms):
        with pytest.raises(InstarError, match="needs"):
            attenuate(holder, wanted)
        return
    grant = attenuate(holder, wanted)
    assert grant.scopes == asked & chosen
    assert is_within(grant, holder)
    assert not outlives(grant, holder)
    assert (grant.kind, grant.parent, grant.principal.id) == ("device", holder.id, "dev_" + DEVICE.id)


@settings(max_examples=300, deadline=None)
@given(held=grants("device"), wanted=scope_sets, name=st.text(max_size=3))
def test_confining_never_widens(held: Grant, wanted: frozenset[Scope], name: str) -> None:
    confined = confine(held, wanted)
    assert confined.scopes <= wanted & reach(held)
    assert is_within(confined, held)
    assert confined == replace(held, scopes=confined.scopes)
    again = attenuate(confined, Wanted("session", name, confined.scopes, confined.agents, confined.rooms))
    assert is_within(again, held)


def authenticator(held: Grant, withheld: frozenset[Scope], role: Role, policy: AuthPolicy) -> Authenticator:
    """Return one that knows a single device with this grant."""
    keyring = Keyring()
    token = stored_token("device", "idt_" + "t" * 43)
    keyring.load([StoredGrant(held, "d", token.hash, token.prefix, Micros(0))])
    lockout, notices = Lockout(), Notices(None, lambda: Micros(0))  # type: ignore[arg-type]

    class NoPump:
        def apply_with(self, kind: str, applier: Any) -> None:
            return

    devices = Devices(
        None, NoPump(), keyring, policy, PairingPolicy(), lockout, notices, lambda grant: grant, {},  # type: ignore[arg-type]
        lambda: Micros(0),
    )  # fmt: skip
    grant = wire.DeviceGrant(role, held.id, sorted(held.scopes), "", withheld=sorted(withheld))
    key = to_base64url(DEVICE.key)
    devices.registry.load([wire.Device(DEVICE.id, held.principal.id, wire.Facts(), "", [grant], public_key=key)])
    return Authenticator(keyring, policy, lockout, devices, Roster(), {}, lambda: Micros(0))


presented = st.sampled_from(["", SECRET, "idt_" + "t" * 43])


@settings(max_examples=500, deadline=None)
@given(
    held=grants("device"),
    withheld=scope_sets,
    asked=st.none() | scope_sets,
    paired_as=roles,
    role=roles,
    token=presented,
    has_secret=st.booleans(),
    is_local=st.booleans(),
    has_origin=st.booleans(),
    signs=st.booleans(),
)
def test_what_a_connection_holds_lies_within_its_grant_and_what_it_asked(
    held: Grant,
    withheld: frozenset[Scope],
    asked: frozenset[Scope] | None,
    paired_as: Role,
    role: Role,
    token: str,
    has_secret: bool,
    is_local: bool,
    has_origin: bool,
    signs: bool,
) -> None:
    policy = AuthPolicy(token=SECRET if has_secret else "")
    door = authenticator(held, withheld, paired_as, policy)
    credential = Credential(
        token, signed=DEVICE.signed() if signs else None, role=role.value, scopes=asked, is_local=is_local,
        has_origin=has_origin, peer="198.51.100.7",
    )  # fmt: skip
    try:
        caller = door.authenticate(credential)
    except InstarError:
        return
    grant = caller.grant
    assert asked is None or grant.scopes <= asked
    if grant.kind == "device":
        assert signs
        assert role is paired_as
        assert is_within(grant, held)
        assert grant.id == held.id
        assert role is Role.NODE or Scope.NODE not in grant.scopes
    else:
        assert (grant.kind, token) == ("shared", SECRET)
        assert is_local
        assert not has_origin
        assert not signs
        assert Scope.KEYS not in grant.scopes
        assert role is not Role.NODE
    assert role is not Role.NODE or grant.scopes <= {Scope.NODE}
